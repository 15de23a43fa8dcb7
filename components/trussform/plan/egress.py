"""What the server may reach: all, or what the config lists."""

import ipaddress
from typing import NamedTuple

from trussform.config import Config
from trussform.plan.weights import Weights
from trussform.problem import FieldPath, Problem
from trussform.stage import Stage

_KEYS: FieldPath = ("runtime", "egress_restrictions")


class Egress(NamedTuple):
    restricted: bool
    addresses: tuple[str, ...]
    """Ranges of IPv4 addresses; without any, and without names, nothing can be reached."""
    names: tuple[str, ...]
    """Domain names, `*` for any part of a label."""
    why: str

    def __str__(self) -> str:
        if not self.restricted:
            return "open"
        return ", ".join((*self.addresses, *self.names)) or "closed"


def egress(config: Config, stage: Stage, weights: Weights) -> tuple[Egress, list[Problem]]:
    given = config.runtime.egress_restrictions
    if given is None:
        return Egress(False, (), (), "the config restricts nothing"), []
    ranges = [ipaddress.IPv4Network(at, strict=False) for at in given.ip_allow_list or ()]
    plan = Egress(
        restricted=True,
        addresses=tuple(dict.fromkeys(str(at) for at in ranges)),
        names=tuple(dict.fromkeys(given.fqdn_allow_list or ())),
        why="egress_restrictions; it holds where the cluster's network enforces its policies",
    )
    problems: list[Problem] = []
    if plan.names and stage.network_policy != "cilium":
        message = "a NetworkPolicy knows addresses and no names"
        fix = "use ip_allow_list, or `network_policy: cilium` in the stage of such a cluster"
        problems.append(Problem("config", (*_KEYS, "fqdn_allow_list"), message, fix))
    if weights.sources:
        message = "the weights are fetched by the same pod, under the same restrictions"
        fix = "allow the store too, or fetch them once without the restrictions"
        problems.append(Problem("config", _KEYS, message, fix, "warning"))
    return plan, problems
