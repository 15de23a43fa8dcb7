"""The objects for GKE's own Gateway."""

from collections.abc import Callable
from typing import Any

import pytest
from support.workspace import Workspace
from trussform.cli.render import objects
from trussform.manifests import Manifest
from trussform.plan import Plan

MakePlan = Callable[..., Plan]
GKE = {"route": {"controller": "gke"}}
GRPC = {"runtime": {"transport": {"kind": "grpc"}}}


def one(plan: Plan, kind: str) -> Manifest:
    (manifest,) = [manifest for manifest in objects(plan) if manifest["kind"] == kind]
    return manifest


@pytest.mark.parametrize(
    ("config", "check"),
    [
        (
            None,
            {
                "type": "HTTP",
                "httpHealthCheck": {
                    "portSpecification": "USE_SERVING_PORT",
                    "requestPath": "/ready",
                },
            },
        ),
        (
            GRPC,
            {"type": "GRPC", "grpcHealthCheck": {"portSpecification": "USE_SERVING_PORT"}},
        ),
    ],
)
def test_the_load_balancer_asks_the_readiness_endpoint(
    plan: MakePlan, config: dict[str, Any] | None, check: Manifest
) -> None:
    policy = one(plan(config, GKE), "HealthCheckPolicy")
    assert policy["apiVersion"] == "networking.gke.io/v1"
    assert policy["spec"] == {
        "default": {"config": check},
        "targetRef": {"group": "", "kind": "Service", "name": "server"},
    }


@pytest.mark.parametrize(("timeout", "seconds"), [(None, 86_400), (300, 300)])
def test_the_load_balancer_waits_as_long_as_the_stage_says(
    plan: MakePlan, timeout: int | None, seconds: int
) -> None:
    made = plan(None, {**GKE, "request_timeout": timeout})
    policy = one(made, "GCPBackendPolicy")
    assert policy["spec"]["default"] == {"timeoutSec": seconds}
    assert policy["spec"]["targetRef"] == {"group": "", "kind": "Service", "name": "server"}


def test_the_route_has_no_timeout_which_gke_rejects(plan: MakePlan) -> None:
    rules = one(plan(None, {**GKE, "request_timeout": 300}), "HTTPRoute")["spec"]["rules"]
    assert [rule for rule in rules if "timeouts" in rule] == []
    others = one(plan(None, {"request_timeout": 300}), "HTTPRoute")["spec"]["rules"]
    assert {rule["timeouts"]["request"] for rule in others} == {"300s"}


def test_other_gateways_have_no_policies_of_gke(plan: MakePlan) -> None:
    kinds = {manifest["kind"] for manifest in objects(plan())}
    assert kinds.isdisjoint({"HealthCheckPolicy", "GCPBackendPolicy"})


def test_explain_says_that_the_policies_are_untried(plan: MakePlan) -> None:
    assert plan(None, GKE).routes.why == (
        "these are Baseten's paths; GKE's load balancer ends a request after 86,400 s; a "
        "GCPBackendPolicy sets the timeout, and a HealthCheckPolicy asks the readiness endpoint; "
        "the objects are untried on GKE"
    )


def test_auth_needs_another_controller(workspace: Workspace) -> None:
    forward = {"kind": "forward", "service": "guard", "namespace": "guards"}
    _, problems = workspace.plan(None, {**GKE, "auth": forward})
    assert [p.field for p in problems if p.level == "error"] == ["route"]


def test_a_gateway_of_gke_without_its_controller_is_a_warning(workspace: Workspace) -> None:
    stage = {"gpu": {"dialect": "gke"}}
    _, (problem,) = workspace.plan(None, stage)
    assert (problem.level, problem.field) == ("warning", "route")
    assert problem.fix == "if GKE runs the Gateway, add `controller: gke` to the route"
    assert workspace.plan(None, {**stage, **GKE})[1] == []
