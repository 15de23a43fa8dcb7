"""The deadlines of a rollout: each ends after the ones that it includes."""

from typing import NamedTuple

from trussform.plan.autoscaling import AutoscalingPlan
from trussform.plan.drain import DrainPlan
from trussform.plan.given import Given
from trussform.plan.probes import LATE, ProbesPlan
from trussform.plan.rollout import RolloutPlan
from trussform.plan.weights import WeightsPlan
from trussform.problem import Problem

SHORTEST_SLACK, LONGEST_SLACK = 10, 60
"""The slack between a deadline and the next one, in seconds: a tenth of the first, within these
bounds."""
AUTOSCALED = 10
"""The most replicas that the Pulumi timeout of an autoscaled server allows for."""


class DeadlinesPlan(NamedTuple):
    """The deadlines of Kubernetes and of Pulumi, in seconds."""

    grace: int
    """`terminationGracePeriodSeconds` of the pod."""
    progress: int
    """`progressDeadlineSeconds` of the Deployment."""
    timeout: int
    """The time after which `pulumi up` stops waiting."""
    steps: tuple[tuple[str, int], ...]
    """The steps of the update of one pod in their order, each with its longest time."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return (
            f"grace period {self.grace} s; progress deadline {self.progress} s; "
            f"Pulumi timeout {self.timeout} s"
        )


def plan_deadlines(
    given: Given,
    probes: ProbesPlan,
    weights: WeightsPlan,
    drain: DrainPlan,
    rollout: RolloutPlan,
    autoscaling: AutoscalingPlan,
) -> DeadlinesPlan:
    """Decides the deadlines from the longest time that each step of a rollout may take."""
    limits = given.stage.deadlines
    until_ready = drain.grace + limits.provisioning + rollout.until_ready
    slack = min(LONGEST_SLACK, max(SHORTEST_SLACK, until_ready // 10))
    progress = until_ready + slack
    most = min(autoscaling.maximum or AUTOSCALED, AUTOSCALED)
    batches = max(1, most if rollout.replicas is None else rollout.replicas)
    times = f"{batches} times as long" if batches > 1 else "as long"
    fetch = f"weights {weights.deadline} + " if weights.deadline else ""
    why = (
        f"the progress deadline is grace period {drain.grace} (requests {drain.seconds}) + node "
        f"{limits.provisioning} + {fetch}pull {limits.pull} + start {probes.startup_budget} + "
        f"checks {LATE} s, plus slack; Pulumi waits {times}, plus slack"
    )
    old = (("old pod stops", drain.grace),)
    new = (
        ("node starts", limits.provisioning),
        ("weights download", weights.deadline),
        ("image is pulled", limits.pull),
        ("server starts", probes.startup_budget),
        ("checks", LATE),
    )
    steps = tuple(
        (name, seconds) for name, seconds in (new + old if rollout.surge else old + new) if seconds
    )
    return DeadlinesPlan(drain.grace, progress, batches * progress + slack, steps, why)
