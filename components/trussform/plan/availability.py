"""The availability of several replicas while nodes are drained or fail."""

from typing import NamedTuple

from trussform.plan.rollout import RolloutPlan
from trussform.problem import Problem


class AvailabilityPlan(NamedTuple):
    max_unavailable: int | None
    """The replicas that a node drain may take at a time; None: no disruption budget."""
    spread: bool
    """True if the scheduler spreads the replicas over the nodes as evenly as it can."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        if self.max_unavailable is None:
            return "no disruption budget"
        return f"a node drain takes {self.max_unavailable} at a time; spread over the nodes"


def plan_availability(rollout: RolloutPlan) -> AvailabilityPlan:
    if rollout.replicas < 2:
        why = "with one replica, a disruption budget would block every node drain"
        if rollout.replicas == 0:
            why = "there are no replicas"
        return AvailabilityPlan(None, False, why)
    why = (
        f"{rollout.replicas} replicas; they may share a node, as one node may have all the GPUs; "
        "a broken pod never blocks a drain"
    )
    return AvailabilityPlan(1, True, why)
