"""The user, the capabilities and the service account of the pod."""

from typing import NamedTuple

from trussform.plan.given import Given
from trussform.plan.weights import WeightsPlan
from trussform.problem import Problem


class SecurityPlan(NamedTuple):
    """The security context of the pod and of its containers."""

    user: int | None
    """The UID, with all capabilities dropped; None: the image's own user."""
    group: int | None
    """The group that owns the volumes (`fsGroup`); None: the cluster sets it."""
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
        group = "the cluster's group" if self.group is None else f"group {self.group}"
        return (
            f"{user}; {capabilities} capabilities; volumes of {group}; "
            f"service account {account}, without its token"
        )


def plan_security(given: Given, weights: WeightsPlan) -> SecurityPlan:
    """Decides the users, the capabilities and the service account."""
    user = given.config.docker_server.run_as_user_id
    settings = given.stage
    on_node = weights.volume is not None and weights.volume.kind == "node"
    why = "the config has no `run_as_user_id`; many images start as root and need capabilities"
    if user is not None:
        why = "`run_as_user_id` of the config"
    if on_node:
        why += "; the init container writes the weights to the node's disk as root"
    fetcher = user if settings.weights.run_as_user_id is None else settings.weights.run_as_user_id
    group = settings.pod.fs_group
    if group == "none":
        why += "; the stage has `fs_group: none`, so the cluster sets the group of the volumes"
    return SecurityPlan(
        user=user,
        group=None if group == "none" else group,
        fetcher_user=0 if on_node else fetcher,
        service_account=settings.pod.service_account,
        why=why,
    )
