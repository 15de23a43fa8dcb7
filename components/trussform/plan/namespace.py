"""The namespace of a server's objects."""

from typing import NamedTuple

from trussform.plan.given import Given
from trussform.problem import Problem
from trussform.stage import Settings


class NamespacePlan(NamedTuple):
    name: str
    """The stage's namespace; the platform's takes precedence at deploy time."""
    create: bool
    """True if the ready-made program creates it."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return self.name


def plan_namespace(given: Given) -> NamespacePlan:
    name, create = given.stage.namespace, creates_namespace(given.stage)
    if name == "default":
        why = "every cluster has it"
    elif create:
        why = "the stage's `namespace`; the program creates it, and `pulumi destroy` keeps it"
    else:
        why = "the stage's `namespace`, which exists, as `create_namespace` is false"
    return NamespacePlan(name, create, why)


def creates_namespace(stage: Settings) -> bool:
    """Returns true if the ready-made program creates the stage's namespace."""
    return stage.create_namespace and stage.namespace != "default"
