"""The destinations that the server may connect to."""

import ipaddress
from typing import NamedTuple

from trussform.plan.given import Given
from trussform.plan.weights import WeightsPlan
from trussform.problem import FieldPath, Problem

_RESTRICTIONS: FieldPath = ("runtime", "egress_restrictions")


class EgressPlan(NamedTuple):
    """The egress rules of the NetworkPolicy."""

    restricted: bool
    """False if there are no rules: every destination is allowed."""
    addresses: tuple[str, ...]
    """IPv4 ranges. If both lists are empty, every destination is blocked."""
    names: tuple[str, ...]
    """Domain names; `*` matches any part of a label."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        if not self.restricted:
            return "every destination"
        return ", ".join((*self.addresses, *self.names)) or "none"


def plan_egress(given: Given, weights: WeightsPlan) -> EgressPlan:
    """Decides the destinations from `runtime.egress_restrictions`."""
    allowed = given.config.runtime.egress_restrictions
    if allowed is None:
        return EgressPlan(False, (), (), "the config has no `egress_restrictions`")
    ranges = [ipaddress.IPv4Network(at, strict=False) for at in allowed.ip_allow_list or ()]
    plan = EgressPlan(
        restricted=True,
        addresses=tuple(dict.fromkeys(str(at) for at in ranges)),
        names=tuple(dict.fromkeys(allowed.fqdn_allow_list or ())),
        why="`egress_restrictions` of the config; the network must enforce NetworkPolicies",
    )
    problems: list[Problem] = []
    if plan.names and given.stage.network_policy != "cilium":
        message = "a NetworkPolicy cannot match domain names"
        fix = "use `ip_allow_list`, or set `network_policy: cilium` if the cluster runs Cilium"
        problems.append(Problem("config", (*_RESTRICTIONS, "fqdn_allow_list"), message, fix))
    if weights.sources:
        message = "the init container that downloads the weights has the same restrictions"
        fix = "allow the source of the weights, or deploy once without the restrictions"
        problems.append(Problem("config", _RESTRICTIONS, message, fix, "warning"))
    return plan._replace(problems=tuple(problems))
