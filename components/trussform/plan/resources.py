"""The CPU and memory that the server requests."""

from typing import NamedTuple

from trussform.config.instances import machine, similar
from trussform.plan.given import Given
from trussform.problem import FieldPath, Problem


class Requests(NamedTuple):
    """The requests of an init container, as Kubernetes quantities."""

    cpu: str
    memory: str

    def __str__(self) -> str:
        return f"{self.cpu} CPU and {self.memory}"


class ResourcesPlan(NamedTuple):
    """The requests of the server, as Kubernetes quantities."""

    cpu: str
    memory: str
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return f"requests {self.cpu} CPU and {self.memory}"


def plan_resources(given: Given) -> ResourcesPlan:
    """Decides the requests: those of the named instance type, or of the fields."""
    resources = given.config.resources
    name = resources.instance_type
    if not name:
        why = "`cpu` and `memory` of the config, or Truss's defaults; requests, never limits"
        return ResourcesPlan(resources.cpu, resources.memory, why)
    why = f"the instance type `{name}`; its CPU and memory are requests, never limits"
    plan = ResourcesPlan(resources.cpu, resources.memory, why)
    field: FieldPath = ("resources", "instance_type")
    found = machine(name)
    if found is None:
        near = ", ".join(f"`{title}`" for title in similar(name))
        message = f"Baseten has no instance type `{name}`"
        fix = "write `accelerator`, `cpu` and `memory` instead"
        fix = f"write a name such as {near}, or {fix}" if near else fix
        return plan._replace(problems=(Problem("config", field, message, fix),))
    if found.cpu is None:
        message = f"the CPU and memory of `{name}` are unknown, so the pod requests 1 CPU and 2Gi"
        fix = f"add both to the name, as in `{found.accelerator}:8x32`"
        return plan._replace(problems=(Problem("config", field, message, fix, "warning"),))
    return plan
