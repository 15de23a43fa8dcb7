"""The namespace of a server's objects."""

from typing import NamedTuple

from trussform.plan.given import Given
from trussform.problem import Problem
from trussform.stage import Settings


class NamespacePlan(NamedTuple):
    """The namespace, and who creates it."""

    name: str
    """The stage's namespace; a platform stack's takes precedence at deploy time."""
    create: bool
    """True if the ready-made program creates it."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return self.name


def plan_namespace(given: Given) -> NamespacePlan:
    """Decides the namespace and whether the program creates it."""
    name, create = given.stage.namespace, creates_namespace(given.stage)
    if name == "default":
        why = "every cluster has the namespace `default`"
    elif create:
        why = "`namespace` of the stage; `pulumi up` creates it, and `pulumi destroy` keeps it"
    else:
        why = "`namespace` of the stage; it must exist, because `create_namespace` is false"
    return NamespacePlan(name, create, why)


def creates_namespace(stage: Settings) -> bool:
    """Returns true if the ready-made program creates the stage's namespace."""
    return stage.create_namespace and stage.namespace != "default"
