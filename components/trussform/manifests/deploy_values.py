"""The values that only a deploy knows: text in `render`, Pulumi inputs in `pulumi up`."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from trussform.plan import Plan

Text = TypeVar("Text")
"""`str` in `render`, `pulumi.Input[str]` in `pulumi up`."""

Manifest = dict[str, Any]
"""A Kubernetes object, or a part of one, as plain data."""


class DeployValues(NamedTuple, Generic[Text]):
    concat: Callable[..., Text]
    """Joins pieces of text, some of them known only at deploy time."""
    namespace: Text | str
    domain: Text | str | None
    gateway: Text | str | None
    gateway_namespace: Text | str | None
    """None: the server's own."""
    registry: Text | str | None
    """The registry of a built image; None: it is not pushed."""
    pull_secret: Text | str | None
    """The Secret of the stage or the platform with the registry's login."""
    image: Text | str = ""
    """The server's image."""
    fetcher: Text | str = ""
    """The image of the init container that fetches weights."""
    secret: Text | str = ""
    """The name of the Secret behind `/secrets`."""
    login: Text | str | None = None
    """The name of the Secret with the config's own login to a registry."""
    api_keys: Text | str = ""
    """The name of the Secret with the clients' keys."""

    @property
    def pull_secrets(self) -> list[Text | str]:
        """The names of the Secrets with logins to registries."""
        return [name for name in (self.pull_secret, self.login) if name is not None]


def deploy_values(
    plan: Plan, concat: Callable[..., Text], platform: Mapping[str, Any] | None = None
) -> DeployValues[Text]:
    """Returns the platform's values, and the plan's for the rest.

    Images and names of Secrets are added by `_replace`, as some of them need these values first.
    """
    given = {name: (platform or {})[name] for name in plan.platform.fields}
    gateway = {"name": None, "namespace": None}
    if plan.routes.gateway is not None:
        gateway = {"name": plan.routes.gateway.name, "namespace": plan.routes.gateway.namespace}
    gateway |= given.get("gateway", {})
    build = plan.image.build
    return DeployValues(
        concat=concat,
        namespace=given.get("namespace", plan.namespace.name),
        domain=given.get("domain", plan.routes.domain),
        gateway=gateway["name"],
        gateway_namespace=gateway["namespace"],
        registry=given.get("registry", build.registry if build else None),
        pull_secret=given.get("pull_secret", plan.pull.existing),
    )
