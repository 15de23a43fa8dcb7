"""The deadlines of a rollout: each is later than the one that it waits for."""

from typing import NamedTuple

from trussform.plan.drain import DrainPlan
from trussform.plan.given import Given
from trussform.plan.probes import LATE, ProbesPlan
from trussform.plan.rollout import RolloutPlan
from trussform.plan.weights import WeightsPlan
from trussform.problem import Problem

SHORTEST_SLACK, LONGEST_SLACK = 10, 60
"""Seconds by which a deadline is later than the one that it waits for: a tenth of that, within
these bounds."""


class DeadlinesPlan(NamedTuple):
    grace: int
    """terminationGracePeriodSeconds."""
    progress: int
    """progressDeadlineSeconds."""
    timeout: int
    """Seconds after which Pulumi stops waiting."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return f"grace {self.grace} s, progress {self.progress} s, pulumi {self.timeout} s"


def plan_deadlines(
    given: Given,
    probes: ProbesPlan,
    weights: WeightsPlan,
    drain: DrainPlan,
    rollout: RolloutPlan,
) -> DeadlinesPlan:
    limits = given.stage.deadlines
    until_ready = drain.grace + limits.provisioning + rollout.until_ready
    slack = min(LONGEST_SLACK, max(SHORTEST_SLACK, until_ready // 10))
    progress = until_ready + slack
    batches = max(1, rollout.replicas)
    fetch = f"+ weights {weights.deadline} (of unknown size) " if weights.deadline else ""
    why = (
        f"grace {drain.grace} (requests {drain.seconds}) + node {limits.provisioning} {fetch}"
        f"+ pull {limits.pull} + start {probes.startup_budget} + checks {LATE} < progress; "
        f"{batches} x progress < pulumi"
    )
    return DeadlinesPlan(drain.grace, progress, batches * progress + slack, why)
