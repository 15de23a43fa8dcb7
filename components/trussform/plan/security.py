"""The user, the capabilities and the service account of the pod."""

from typing import NamedTuple

from trussform.plan.given import Given
from trussform.plan.weights import WeightsPlan
from trussform.problem import Problem

GROUP = 60000
"""The group that may read the secrets; any number serves, as the pod's processes get it."""


class SecurityPlan(NamedTuple):
    user: int | None
    """None: the image's own user. A user of its own runs without capabilities and never as root."""
    group: int
    """The group that owns the volumes (`fsGroup`)."""
    fetcher_user: int | None
    """The user of the init container that fetches weights; None: its image's own."""
    service_account: str | None
    """None: the namespace's default. Its token is never mounted."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        user = "the image's own user" if self.user is None else f"user {self.user}"
        capabilities = "the runtime's default" if self.user is None else "no"
        account = self.service_account or "the namespace's default"
        return f"{user}, {capabilities} capabilities, service account: {account}, without a token"


def plan_security(given: Given, weights: WeightsPlan) -> SecurityPlan:
    user = given.config.docker_server.run_as_user_id
    on_node = weights.volume is not None and weights.volume.kind == "node"
    why = "the config has no run_as_user_id, and an image may need to start as root"
    if user is not None:
        why = "run_as_user_id"
    if on_node:
        why += "; root fetches the weights onto the node's disk"
    return SecurityPlan(user, GROUP, 0 if on_node else user, given.stage.service_account, why)
