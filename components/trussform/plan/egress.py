"""The destinations that the server may reach: all, or those of the config."""

import ipaddress
from typing import NamedTuple

from trussform.plan.given import Given
from trussform.plan.weights import WeightsPlan
from trussform.problem import FieldPath, Problem

_KEYS: FieldPath = ("runtime", "egress_restrictions")


class EgressPlan(NamedTuple):
    restricted: bool
    addresses: tuple[str, ...]
    """Ranges of IPv4 addresses; without any, and without names, nothing can be reached."""
    names: tuple[str, ...]
    """Domain names, `*` for any part of a label."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        if not self.restricted:
            return "every destination"
        return ", ".join((*self.addresses, *self.names)) or "none"


def plan_egress(given: Given, weights: WeightsPlan) -> EgressPlan:
    allowed = given.config.runtime.egress_restrictions
    if allowed is None:
        return EgressPlan(False, (), (), "the config has no egress_restrictions")
    ranges = [ipaddress.IPv4Network(at, strict=False) for at in allowed.ip_allow_list or ()]
    plan = EgressPlan(
        restricted=True,
        addresses=tuple(dict.fromkeys(str(at) for at in ranges)),
        names=tuple(dict.fromkeys(allowed.fqdn_allow_list or ())),
        why="egress_restrictions, if the cluster's network enforces NetworkPolicies",
    )
    problems: list[Problem] = []
    if plan.names and given.stage.network_policy != "cilium":
        message = "a NetworkPolicy cannot restrict names, only addresses"
        fix = "use ip_allow_list, or `network_policy: cilium` in the stage of such a cluster"
        problems.append(Problem("config", (*_KEYS, "fqdn_allow_list"), message, fix))
    if weights.sources:
        message = "the same restrictions apply to the init container that fetches the weights"
        fix = "allow the store of the weights too, or fetch them once without restrictions"
        problems.append(Problem("config", _KEYS, message, fix, "warning"))
    return plan._replace(problems=tuple(problems))
