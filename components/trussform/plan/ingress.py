"""The sources that may connect to the pods."""

from typing import NamedTuple

from trussform.plan.given import Given
from trussform.problem import Problem
from trussform.stage import CidrPeer


class IngressPlan(NamedTuple):
    restricted: bool
    namespaces: tuple[str, ...]
    cidrs: tuple[str, ...]
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        if not self.restricted:
            return "every pod of the cluster"
        sources = (*(f"namespace {name}" for name in self.namespaces), *self.cidrs)
        return ", ".join(sources) or "none"


def plan_ingress(given: Given) -> IngressPlan:
    stage = given.stage
    if stage.ingress_from is None:
        return IngressPlan(False, (), (), "the stage has no `ingress_from`")
    peers = stage.ingress_from
    plan = IngressPlan(
        restricted=True,
        namespaces=tuple(peer.namespace for peer in peers if not isinstance(peer, CidrPeer)),
        cidrs=tuple(peer.cidr for peer in peers if isinstance(peer, CidrPeer)),
        why="the stage's `ingress_from`, if the cluster's network enforces NetworkPolicies",
    )
    gateway = stage.route.namespace if stage.route.kind == "gateway" else None
    if gateway is None or plan.cidrs or gateway in plan.namespaces:
        return plan
    message = f"`ingress_from` lacks the Gateway's namespace `{gateway}`: requests may not arrive"
    fix = "add the namespace of the Gateway's pods, or the addresses of its nodes"
    return plan._replace(problems=(Problem("stage", ("ingress_from",), message, fix, "warning"),))
