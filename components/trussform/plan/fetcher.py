"""The init container that downloads weights."""

from collections.abc import Mapping
from typing import NamedTuple

from trussform.plan.digest import DigestPlan, plan_digest
from trussform.plan.given import Given
from trussform.plan.resources import Requests
from trussform.plan.weights import WeightsPlan
from trussform.problem import Problem

_REQUESTS = Requests("100m", "256Mi")


class FetcherPlan(NamedTuple):
    """The image, the requests and the variables of the init container."""

    image: DigestPlan | None
    """None if there are no weights."""
    requests: Requests
    """The requests of the init container."""
    environment_variables: Mapping[str, str]
    """The variables that the stage sets for it."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        if self.image is None:
            return "none"
        return f"init container {self.image.reference}; requests {self.requests}"


def plan_fetcher(given: Given, weights: WeightsPlan) -> FetcherPlan:
    """Decides the init container that downloads the weights."""
    if not weights.sources:
        return FetcherPlan(None, _REQUESTS, {}, "the config has no `weights` and no `model_cache`")
    settings = given.stage.weights
    image = plan_digest(given, settings.image, "stage", given.stage.path("weights", "image"))
    return FetcherPlan(image, _REQUESTS, settings.environment_variables, image.why, image.problems)
