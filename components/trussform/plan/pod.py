"""The parts of the pod that a cluster demands: labels, taints, classes."""

from collections.abc import Mapping
from typing import NamedTuple

from trussform import stage
from trussform.plan.given import Given
from trussform.plan.gpu import GpuPlan
from trussform.plan.toleration import Toleration
from trussform.problem import Problem


class PodPlan(NamedTuple):
    """The parts of the pod that the stage's `pod` and `gpu` set."""

    labels: Mapping[str, str]
    """The labels of the pods beside Trussform's own."""
    annotations: Mapping[str, str]
    """The annotations of the pods beside Trussform's own."""
    node_selector: Mapping[str, str]
    """The labels that a node must have, beside the one of the GPU."""
    tolerations: tuple[Toleration, ...]
    """The taints that the pod tolerates."""
    priority_class: str | None
    """None: the cluster's default."""
    runtime_class: str | None
    """None: the node's default runtime."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        parts = [
            *(f"label {name}={value}" for name, value in self.labels.items()),
            *(f"annotation {name}={value}" for name, value in self.annotations.items()),
            *(f"nodes with {name}={value}" for name, value in self.node_selector.items()),
            *(f"tolerates {toleration}" for toleration in self.tolerations),
        ]
        if self.priority_class:
            parts.append(f"priority class {self.priority_class}")
        if self.runtime_class:
            parts.append(f"runtime class {self.runtime_class}")
        return "; ".join(parts) or "Kubernetes' defaults"


def plan_pod(given: Given, gpu: GpuPlan) -> PodPlan:
    """Decides the labels, the taints and the classes of the pod."""
    pod = given.stage.pod
    tolerations = (*gpu.tolerations, *(Toleration.of(one) for one in pod.tolerations))
    return PodPlan(
        labels=pod.labels,
        annotations=pod.annotations,
        node_selector=pod.node_selector,
        tolerations=tuple(dict.fromkeys(tolerations)),
        priority_class=pod.priority_class,
        runtime_class=gpu.runtime_class or pod.runtime_class,
        why=_why(pod, gpu),
        problems=_two_runtimes(given, gpu),
    )


def _why(pod: stage.Pod, gpu: GpuPlan) -> str:
    """Returns the sources of the parts."""
    why = "`pod` of the stage" if pod.model_fields_set else "the stage has no `pod`"
    if gpu.per_pod:
        why += f"; {gpu.taints}"
    return why


def _two_runtimes(given: Given, gpu: GpuPlan) -> tuple[Problem, ...]:
    """Returns the problem of a GPU pod with two runtime classes."""
    other = given.stage.pod.runtime_class
    if gpu.runtime_class is None or other is None or other == gpu.runtime_class:
        return ()
    message = f"a GPU pod cannot have two runtime classes, `{gpu.runtime_class}` and `{other}`"
    fix = "remove `pod.runtime_class` or `gpu.runtime_class`"
    path = given.stage.path("pod", "runtime_class")
    return (Problem("stage", path, message, fix),)
