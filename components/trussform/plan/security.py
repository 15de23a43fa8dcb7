"""The user, the capabilities and the service account of the pod."""

from typing import NamedTuple

from trussform.plan.given import Given
from trussform.plan.weights import WeightsPlan
from trussform.problem import Problem

GROUP = 60000
"""The group that owns the volumes. Any number works: every process of the pod is a member."""


class SecurityPlan(NamedTuple):
    """The security context of the pod and of its containers."""

    user: int | None
    """The UID, with all capabilities dropped; None: the image's own user."""
    group: int
    """The group that owns the volumes (`fsGroup`)."""
    fetcher_user: int | None
    """The UID of the init container that downloads weights; None: its image's own user."""
    service_account: str | None
    """The service account, whose token is never mounted; None: the namespace's default."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        user = "the image's user" if self.user is None else f"user {self.user}"
        capabilities = "the runtime's default" if self.user is None else "no"
        account = self.service_account or "`default`"
        return f"{user}; {capabilities} capabilities; service account {account}, without its token"


def plan_security(given: Given, weights: WeightsPlan) -> SecurityPlan:
    """Decides the users, the capabilities and the service account."""
    user = given.config.docker_server.run_as_user_id
    on_node = weights.volume is not None and weights.volume.kind == "node"
    why = "the config has no `run_as_user_id`; many images start as root and need capabilities"
    if user is not None:
        why = "`run_as_user_id` of the config"
    if on_node:
        why += "; the init container writes the weights to the node's disk as root"
    return SecurityPlan(user, GROUP, 0 if on_node else user, given.stage.service_account, why)
