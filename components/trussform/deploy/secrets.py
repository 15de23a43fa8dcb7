"""The Secret behind `/secrets`."""

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from trussform.plan import Plan


def secret(
    plan: Plan,
    given: Mapping[str, pulumi.Input[str]],
    placement: Mapping[str, Any],
    parent: pulumi.Resource,
) -> pulumi.Input[str] | None:
    """The name of the Secret; None where the server reads none.

    A Secret made here has no fixed name, so that a changed value makes a new one beside
    the old, which the old pods still need.
    """
    if not plan.secrets.any:
        return None
    if plan.secrets.existing is not None:
        return plan.secrets.existing
    names = (*plan.secrets.names, *plan.secrets.undeclared)
    made = kubernetes.core.v1.Secret(
        f"{plan.name}-secrets",
        metadata={"namespace": placement.get("namespace", plan.namespace)},
        string_data={name: pulumi.Output.secret(given[name]) for name in names},
        opts=pulumi.ResourceOptions(parent=parent),
    )
    return made.metadata["name"]
