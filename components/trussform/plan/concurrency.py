"""The number of requests that the server takes at once."""

from typing import NamedTuple

from trussform.plan.given import Given
from trussform.problem import Problem


class ConcurrencyPlan(NamedTuple):
    requests: int
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return str(self.requests)


def plan_concurrency(given: Given) -> ConcurrencyPlan:
    requests = given.config.runtime.predict_concurrency
    return ConcurrencyPlan(requests, "predict_concurrency: a hint to autoscalers, never enforced")
