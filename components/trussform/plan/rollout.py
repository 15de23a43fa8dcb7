"""The replacement of the old version by the new one."""

from typing import NamedTuple

from trussform.plan.drain import DrainPlan
from trussform.plan.given import Given
from trussform.plan.probes import LATE, ProbesPlan
from trussform.plan.weights import WeightsPlan
from trussform.problem import Problem, counted


class RolloutPlan(NamedTuple):
    replicas: int
    surge: int
    unavailable: int
    downtime: int
    """Seconds that an update may leave the server without a pod; 0: never."""
    until_ready: int
    """Seconds from the end of the grace period until the new pod is ready, at most."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        replicas = counted(self.replicas, "replica")
        return f"{replicas}, surge {self.surge}, unavailable {self.unavailable}"


def plan_rollout(
    given: Given, probes: ProbesPlan, weights: WeightsPlan, drain: DrainPlan
) -> RolloutPlan:
    stage, replicas = given.stage, given.stage.replicas
    accelerator = given.config.resources.accelerator
    gpus, spare = accelerator.count if accelerator else 0, stage.spare_gpus
    until_ready = weights.deadline + stage.deadlines.pull + probes.startup_budget + LATE
    downtime = 0
    surges = (gpus == 0 or spare >= gpus) and not weights.one_node
    if replicas == 0:
        why = "the stage asks for no replica"
    elif surges:
        why = "the new pod starts first: " + (
            f"it needs {gpus} of {counted(spare, 'spare GPU')}" if gpus else "it needs no GPU"
        )
    elif replicas > 1:
        carry = "carries" if replicas == 2 else "carry"
        why = f"one replica at a time: {replicas - 1} of {replicas} {carry} the load meanwhile"
    else:
        downtime = drain.grace + until_ready
        parts = "weights + pull" if weights.deadline else "pull"
        why = (
            f"{_no_surge(weights, spare, gpus)}, so the old pod stops first: at most {downtime} s "
            f"of downtime (grace + {parts} + start + checks)"
        )
    return RolloutPlan(
        replicas=replicas,
        surge=1 if surges else 0,
        unavailable=0 if surges else 1,
        downtime=downtime,
        until_ready=until_ready,
        why=why,
    )


def _no_surge(weights: WeightsPlan, spare: int, gpus: int) -> str:
    """Returns the reason why the new pod cannot start beside the old one."""
    if weights.one_node:
        return "only one node at a time can mount the weights' volume"
    if spare:
        are = "is" if spare == 1 else "are"
        return f"{counted(spare, 'spare GPU')} {are} too few for {gpus}"
    return "the stage declares no spare GPU"
