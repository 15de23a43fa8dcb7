"""The sources that may connect to the pods."""

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from trussform.plan.autoscaling import AutoscalingPlan
from trussform.plan.given import Given
from trussform.problem import Problem
from trussform.stage import CidrPeer, NoRoute


class IngressPlan(NamedTuple):
    """The ingress rules of the NetworkPolicy."""

    restricted: bool
    """False if there are no rules: every pod of the cluster may connect."""
    namespaces: tuple[str, ...]
    """The namespaces whose pods may connect."""
    cidrs: tuple[str, ...]
    """The IP ranges that may connect."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        if not self.restricted:
            return "open to every pod of the cluster"
        sources = (*(f"namespace {name}" for name in self.namespaces), *self.cidrs)
        return f"open to {', '.join(sources)}" if sources else "closed"


def plan_ingress(given: Given, autoscaling: AutoscalingPlan) -> IngressPlan:
    """Decides the sources from the stage's `ingress_from`, and adds those of the autoscaling."""
    stage = given.stage
    if stage.ingress_from is None:
        why = "the stage has no `ingress_from`"
        return IngressPlan(False, (), (), why, tuple(_past_the_gateway(given)))
    peers = stage.ingress_from
    listed = [peer.namespace for peer in peers if not isinstance(peer, CidrPeer)]
    plan = IngressPlan(
        restricted=True,
        namespaces=tuple(dict.fromkeys([*listed, *_scalers(autoscaling)])),
        cidrs=tuple(peer.cidr for peer in peers if isinstance(peer, CidrPeer)),
        why="`ingress_from` of the stage; the network must enforce NetworkPolicies",
    )
    gateway = stage.route.namespace if stage.route.kind == "gateway" else None
    if gateway is None or plan.cidrs or gateway in plan.namespaces:
        return plan
    message = (
        f"`ingress_from` does not list the Gateway's namespace `{gateway}`, so requests may be "
        "blocked"
    )
    fix = "add the namespace of the Gateway's pods, or the CIDR of its nodes"
    return plan._replace(problems=(Problem("stage", ("ingress_from",), message, fix, "warning"),))


def _scalers(autoscaling: AutoscalingPlan) -> Iterator[str]:
    """Yields the namespaces of KEDA's HTTP add-on, and of a Prometheus that reads the pods."""
    if autoscaling.intercepted:
        yield autoscaling.add_on
    if autoscaling.gauges:
        # `prometheus.monitoring.svc`: the namespace is the second label of a Service's name.
        labels = (urlsplit(autoscaling.prometheus).hostname or "").split(".")
        if labels[2:3] in ([], ["svc"]) and len(labels) > 1:
            yield labels[1]


def _past_the_gateway(given: Given) -> Iterator[Problem]:
    """Yields a warning if the gateway checks requests and the pods accept all connections."""
    stage = given.stage
    if isinstance(stage.route, NoRoute) or stage.auth in (None, "none"):
        return
    message = (
        "the gateway checks `auth`, and every pod of the cluster can connect to the server past it"
    )
    fix = "add `ingress_from: [{namespace: NAME}]` with the namespace of the gateway's pods"
    yield Problem("stage", stage.path("auth"), message, fix, "warning")
