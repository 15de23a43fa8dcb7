"""The CPU and memory that the server requests."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from trussform.config.instances import machine, similar
from trussform.plan.given import Given
from trussform.problem import FieldPath, Problem
from trussform.quantity import amount
from trussform.stage import Amounts


class Requests(NamedTuple):
    """The requests of an init container, as Kubernetes quantities."""

    cpu: str
    memory: str

    def __str__(self) -> str:
        return f"{self.cpu} CPU and {self.memory}"


class ResourcesPlan(NamedTuple):
    """The requests and limits of the server, as Kubernetes quantities."""

    cpu: str
    memory: str
    ephemeral_storage: str | None
    """The request for the node's disk; None: none."""
    limits: Mapping[str, str]
    """The limits of each container of the pod, by Kubernetes' name of the resource."""
    why: str
    problems: tuple[Problem, ...] = ()

    @property
    def requests(self) -> Mapping[str, str]:
        """The requests by Kubernetes' name of the resource."""
        storage = {_STORAGE: self.ephemeral_storage} if self.ephemeral_storage else {}
        return {"cpu": self.cpu, "memory": self.memory, **storage}

    def __str__(self) -> str:
        text = f"requests {self.cpu} CPU and {self.memory}"
        if self.ephemeral_storage:
            text += f", and {self.ephemeral_storage} of ephemeral storage"
        if self.limits:
            text += f"; limits {', '.join(f'{name} {text}' for name, text in self.limits.items())}"
        return text


_STORAGE = "ephemeral-storage"


def plan_resources(given: Given) -> ResourcesPlan:
    """Decides the requests: the stage's, or those of the instance type or fields of the config."""
    resources, pod = given.config.resources, given.stage.pod
    name = resources.instance_type
    why = "`cpu` and `memory` of the config, or Truss's defaults"
    if name:
        why = f"the instance type `{name}`"
    if set_by_stage := [field for field in ("cpu", "memory") if getattr(pod.requests, field)]:
        why = f"{' and '.join(set_by_stage)}: `pod.requests` of the stage; the rest: {why}"
    plan = ResourcesPlan(
        cpu=pod.requests.cpu or resources.cpu,
        memory=pod.requests.memory or resources.memory,
        ephemeral_storage=pod.requests.ephemeral_storage,
        limits=_amounts(pod.limits),
        why=f"{why}; {'`pod.limits` of the stage' if _amounts(pod.limits) else 'no limits'}",
    )
    problems = [*_low_limits(given, plan), *_instance_problems(given), *_small_requests(given)]
    return plan._replace(problems=tuple(problems))


def _amounts(amounts: Amounts) -> dict[str, str]:
    """Returns amounts by Kubernetes' name of the resource."""
    named = {"cpu": amounts.cpu, "memory": amounts.memory, _STORAGE: amounts.ephemeral_storage}
    return {name: text for name, text in named.items() if text}


def _low_limits(given: Given, plan: ResourcesPlan) -> Iterator[Problem]:
    """Yields an error for each limit that is lower than the request."""
    for name, limit in plan.limits.items():
        request = plan.requests.get(name)
        if request and amount(limit) < amount(request):
            message = (
                f"the {name} limit {limit} of `{given.name}` is lower than the request {request}"
            )
            fix = "raise the limit, or lower the request"
            path = given.stage.path("pod", "limits", name.replace("-", "_"))
            yield Problem("stage", path, message, fix)


def _small_requests(given: Given) -> Iterator[Problem]:
    """Yields a warning if a server on several GPUs requests Truss's defaults.

    Baseten gives it the smallest machine that fits, and all of that machine. On a shared node, the
    scheduler places other pods beside it, and the kernel ends it first if memory runs out.
    """
    resources, requests = given.config.resources, given.stage.pod.requests
    gpus = resources.accelerator
    if gpus is None or gpus.count < 2 or requests.memory or resources.instance_type:
        return
    if "memory" in resources.model_fields_set:
        return
    found = machine(f"{gpus.name}:{gpus.count}")
    message = f"the pod requests {resources.memory} of memory for {gpus}, Truss's default"
    fix = "set `resources.memory`, or `pod.requests.memory` of the stage"
    if found and found.memory:
        message += f"; Baseten's machine has {found.memory}Gi"
    yield Problem("config", ("resources",), message, fix, "warning")


def _instance_problems(given: Given) -> Iterator[Problem]:
    """Yields the problems of an instance type."""
    name = given.config.resources.instance_type
    if not name:
        return
    field: FieldPath = ("resources", "instance_type")
    found = machine(name)
    if found is None:
        near = ", ".join(f"`{title}`" for title in similar(name))
        message = f"Baseten has no instance type `{name}`"
        fix = "write `accelerator`, `cpu` and `memory` instead"
        fix = f"write a name such as {near}, or {fix}" if near else fix
        yield Problem("config", field, message, fix)
    elif found.cpu is None:
        message = f"the CPU and memory of `{name}` are unknown, so the pod requests 1 CPU and 2Gi"
        fix = f"add both to the name, as in `{found.accelerator}:8x32`"
        yield Problem("config", field, message, fix, "warning")
