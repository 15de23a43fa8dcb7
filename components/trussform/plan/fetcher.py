"""The init container that fetches weights."""

from collections.abc import Mapping
from typing import NamedTuple

from trussform.plan.digest import DigestPlan, plan_digest
from trussform.plan.given import Given
from trussform.plan.resources import Requests
from trussform.plan.weights import WeightsPlan
from trussform.problem import Problem

_REQUESTS = Requests("100m", "256Mi")


class FetcherPlan(NamedTuple):
    image: DigestPlan | None
    """None if there are no weights."""
    requests: Requests
    environment_variables: Mapping[str, str]
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        if self.image is None:
            return "none"
        return f"{self.image.reference}, requests {self.requests}"


def plan_fetcher(given: Given, weights: WeightsPlan) -> FetcherPlan:
    if not weights.sources:
        return FetcherPlan(None, _REQUESTS, {}, "the config names no weights")
    settings = given.stage.weights
    image = plan_digest(given, settings.image, "stage", given.stage.path("weights", "image"))
    return FetcherPlan(image, _REQUESTS, settings.environment_variables, image.why, image.problems)
