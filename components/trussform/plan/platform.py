"""The precedence of a platform stack's values over the stage's."""

from typing import NamedTuple

from trussform.plan.given import Given
from trussform.problem import Problem


class PlatformPlan(NamedTuple):
    """The values that another stack gives at deploy time."""

    fields: frozenset[str]
    """The values that the platform stack gives; the stage's own are not used."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return ", ".join(sorted(self.fields)) or "none"


def plan_platform(given: Given) -> PlatformPlan:
    """Decides which values come from a platform stack."""
    if not given.platform:
        return PlatformPlan(
            frozenset(), "no platform stack gives a value, so the stage's values are used"
        )
    why = "the values of a platform stack take precedence over the stage's"
    return PlatformPlan(frozenset(given.platform), why)
