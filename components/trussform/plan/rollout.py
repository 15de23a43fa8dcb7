"""The replacement of the old version by the new one."""

from typing import NamedTuple

from trussform.plan.drain import DrainPlan
from trussform.plan.given import Given
from trussform.plan.probes import LATE, ProbesPlan
from trussform.plan.weights import WeightsPlan
from trussform.problem import Problem, counted


class RolloutPlan(NamedTuple):
    """The replicas and the update strategy of the Deployment."""

    replicas: int | None
    """The number of pods; None: an autoscaler owns it."""
    surge: int
    """`maxSurge`: new pods that start before an old pod stops."""
    unavailable: int
    """`maxUnavailable`: old pods that stop before a new pod is ready."""
    downtime: int
    """The maximum downtime of an update in seconds; 0: no downtime."""
    until_ready: int
    """The longest time in seconds from the end of the grace period until the new pod is ready."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        replicas = "autoscaled" if self.replicas is None else counted(self.replicas, "replica")
        return f"{replicas}; max surge {self.surge}, max unavailable {self.unavailable}"


def plan_rollout(
    given: Given, probes: ProbesPlan, weights: WeightsPlan, drain: DrainPlan
) -> RolloutPlan:
    """Decides the update strategy from the replicas, the spare GPUs and the weights' volume."""
    stage = given.stage
    autoscaled = stage.autoscaling is not None
    replicas = None if autoscaled or stage.replicas == "autoscaled" else stage.replicas
    accelerator = given.config.resources.accelerator
    gpus, spare = accelerator.count if accelerator else 0, stage.spare_gpus
    until_ready = weights.deadline + stage.deadlines.pull + probes.startup_budget + LATE
    downtime = 0
    surges = (gpus == 0 or spare >= gpus) and not weights.one_node
    if replicas == 0:
        why = "`replicas` is 0"
    elif surges:
        needs = f"{gpus} of {counted(spare, 'spare GPU')}" if gpus else "no GPU"
        why = f"the new pod needs {needs}, so it starts before the old pod stops"
    elif replicas is not None and replicas > 1:
        reason = _no_surge_reason(weights, spare, gpus)
        why = (
            f"{reason}, so replicas are replaced one at a time; {replicas - 1} of {replicas} serve "
            "meanwhile"
        )
    else:
        downtime = drain.grace + until_ready
        parts = "weights + pull" if weights.deadline else "pull"
        why = (
            f"{_no_surge_reason(weights, spare, gpus)}, so the old pod stops first; "
            f"maximum downtime {downtime} s (grace period + {parts} + start + checks)"
        )
        if replicas is None:
            why += " with one replica"
    if replicas is None:
        why += "; an autoscaler owns the number of replicas, so Pulumi leaves it out"
    return RolloutPlan(
        replicas=replicas,
        surge=1 if surges else 0,
        unavailable=0 if surges else 1,
        downtime=downtime,
        until_ready=until_ready,
        why=why,
    )


def _no_surge_reason(weights: WeightsPlan, spare: int, gpus: int) -> str:
    """Returns the reason why the new pod cannot start before the old pod stops."""
    if weights.one_node:
        return "only one node can mount the weights' volume at a time"
    if spare:
        return f"the new pod needs {gpus} GPUs, and the stage has {counted(spare, 'spare GPU')}"
    return "the stage has no `spare_gpus`"
