"""Several replicas: apart from each other, and not all away at once."""

# pyright: reportMissingTypeStubs=false

from collections.abc import Callable
from typing import Any

import kubernetes_validate
import pytest
from trussform.cli.render import objects
from trussform.manifests import Manifest
from trussform.plan import Plan

MakePlan = Callable[..., Plan]


def made(plan: Plan) -> tuple[list[Manifest], Manifest]:
    """The budgets and the Deployment, as Kubernetes takes them."""
    kinds = ("PodDisruptionBudget", "Deployment")
    found = [manifest for manifest in objects(plan) if manifest["kind"] in kinds]
    for manifest in found:
        kubernetes_validate.validate(manifest, "1.35", strict=True)
    return found[:-1], found[-1]


@pytest.mark.parametrize("config", [{}, {"resources": {"accelerator": "L4"}}])
def test_two_replicas_are_spread_over_the_nodes_and_leave_one_at_a_time(
    plan: MakePlan, config: dict[str, Any]
) -> None:
    (budget,), deployment = made(plan(config, {"replicas": 2}))
    template = deployment["spec"]["template"]
    assert budget["metadata"]["name"] == "server"
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    (spread,) = template["spec"]["topologySpreadConstraints"]
    assert (spread["maxSkew"], spread["topologyKey"]) == (1, "kubernetes.io/hostname")
    # All the GPUs may be on one node; a pod that waits for another node would wait for ever.
    assert spread["whenUnsatisfiable"] == "ScheduleAnyway"
    # The pods of the version that goes are not counted.
    assert spread["matchLabelKeys"] == ["pod-template-hash"]
    for selector in (budget["spec"]["selector"], spread["labelSelector"]):
        assert selector["matchLabels"].items() <= template["metadata"]["labels"].items()


@pytest.mark.parametrize("replicas", [0, 1])
def test_a_budget_of_one_replica_would_only_keep_its_node_from_being_drained(
    plan: MakePlan, replicas: int
) -> None:
    budgets, deployment = made(plan(None, {"replicas": replicas}))
    assert budgets == []
    assert "topologySpreadConstraints" not in deployment["spec"]["template"]["spec"]


def test_a_servers_own_replicas_count(plan: MakePlan) -> None:
    one = {"replicas": 3, "servers": {"server": {"replicas": 1}}}
    assert made(plan(None, one))[0] == []
    three = {"replicas": 1, "servers": {"server": {"replicas": 3}}}
    assert len(made(plan(None, three))[0]) == 1
