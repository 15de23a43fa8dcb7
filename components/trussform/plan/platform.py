"""The precedence of a platform stack's values over the stage's."""

from typing import NamedTuple

from trussform.plan.given import Given
from trussform.problem import Problem


class PlatformPlan(NamedTuple):
    fields: frozenset[str]
    """The values that the platform gives; the stage's are not used."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return ", ".join(sorted(self.fields)) or "none"


def plan_platform(given: Given) -> PlatformPlan:
    if not given.platform:
        return PlatformPlan(frozenset(), "every value is the stage's")
    why = "a platform stack's value takes precedence over the stage's"
    return PlatformPlan(frozenset(given.platform), why)
