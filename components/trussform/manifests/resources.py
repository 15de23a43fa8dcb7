"""The `resources` of a container."""

from collections.abc import Mapping
from types import MappingProxyType

from trussform.manifests.deploy_values import Manifest
from trussform.plan import Plan


def with_limits(
    plan: Plan, requests: Mapping[str, str], more: Mapping[str, str] = MappingProxyType({})
) -> Manifest:
    """Returns requests with the pod's limits, and with `more` limits of this container."""
    limits = {**plan.resources.limits, **more}
    return {"requests": dict(requests), **({"limits": limits} if limits else {})}
