"""The number of requests that the server handles at once."""

from typing import NamedTuple

from trussform.plan.given import Given
from trussform.problem import Problem, counted


class ConcurrencyPlan(NamedTuple):
    """The concurrency of one replica."""

    requests: int
    """Requests at a time."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return f"{counted(self.requests, 'request')} at a time"


def plan_concurrency(given: Given) -> ConcurrencyPlan:
    """Decides the concurrency from `predict_concurrency`."""
    requests = given.config.runtime.predict_concurrency
    why = "`predict_concurrency` of the config (default 1); Trussform does not enforce it"
    return ConcurrencyPlan(requests, why)
