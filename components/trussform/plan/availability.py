"""The disruption budget and the spread of replicas over nodes."""

from typing import NamedTuple

from trussform.plan.autoscaling import AutoscalingPlan
from trussform.plan.rollout import RolloutPlan
from trussform.problem import Problem, counted


class AvailabilityPlan(NamedTuple):
    """The limit of node drains and the spread of the replicas."""

    max_unavailable: int | None
    """The replicas that node drains may evict at a time; None: no disruption budget."""
    spread: bool
    """True if the scheduler spreads the replicas over the nodes as evenly as it can."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        if self.max_unavailable is None:
            return "no disruption budget"
        return (
            f"node drains evict at most {counted(self.max_unavailable, 'replica')} at a time; "
            "replicas are spread over nodes where possible"
        )


def plan_availability(rollout: RolloutPlan, autoscaling: AutoscalingPlan) -> AvailabilityPlan:
    """Decides the disruption budget and the topology spread, from two replicas on."""
    replicas = rollout.replicas
    if autoscaling.metric != "none" and autoscaling.maximum < 2:
        why = "a disruption budget for one replica would block every node drain"
        return AvailabilityPlan(None, False, why)
    if replicas is not None and replicas < 2:
        why = "a disruption budget for one replica would block every node drain"
        if replicas == 0:
            why = "`replicas` is 0"
        return AvailabilityPlan(None, False, why)
    number = "autoscaled" if replicas is None else replicas
    why = (
        f"{number} replicas; they may share a node, because one node may have all GPUs; pods that "
        "are not ready never block a drain"
    )
    return AvailabilityPlan(1, True, why)
