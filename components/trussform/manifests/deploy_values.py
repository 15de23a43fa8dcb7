"""What only the deployment knows: strings in `render`, Pulumi outputs in `up`."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from trussform.plan import Plan
from trussform.stage import GatewayRoute

Text = Any
"""A string, or an output that will be one. Opaque here: only `concat` may look inside."""

Manifest = dict[str, Any]


class Values(NamedTuple):
    image: Text
    namespace: Text
    concat: Callable[..., Text]
    """Joins pieces of text, outputs among them."""
    secret: Text | None = None
    """The name of the Secret behind `/secrets`."""
    fetcher: Text | None = None
    """The image of what fetches weights."""
    api_keys: Text | None = None
    """The name of the Secret with the clients' keys."""
    pull_secrets: tuple[Text, ...] = ()
    """The names of the Secrets that log in to registries."""
    domain: Text | None = None
    gateway: Text | None = None
    gateway_namespace: Text | None = None


def values(
    plan: Plan,
    concat: Callable[..., Text],
    *,
    image: Text = None,
    fetcher: Text | None = None,
    secret: Text | None = None,
    login: Text | None = None,
    api_keys: Text | None = None,
    placement: Mapping[str, Any] | None = None,
) -> Values:
    """What the placement gives, and the stage's word for the rest."""
    placed = placement or {}
    route = plan.routes.route
    gateway = {"name": None, "namespace": None}
    if isinstance(route, GatewayRoute):
        gateway = {"name": route.name, "namespace": route.namespace}
    gateway |= placed.get("gateway", {})
    pull_secret = placed.get("pull_secret", plan.pull.existing)
    return Values(
        image=image,
        namespace=placed.get("namespace", plan.namespace),
        concat=concat,
        secret=secret,
        fetcher=fetcher,
        api_keys=api_keys,
        pull_secrets=tuple(name for name in (pull_secret, login) if name is not None),
        domain=placed.get("domain", plan.routes.domain),
        gateway=gateway["name"],
        gateway_namespace=gateway["namespace"],
    )
