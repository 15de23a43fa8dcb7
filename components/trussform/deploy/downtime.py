"""How long the last update of a server took, for the preview of the next one.

Pulumi's state has it: when the update was ordered is the time of the stack's own fields in
`metadata.managedFields`, and the Deployment's condition `Progressing` says when it was complete.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pulumi

from trussform.deploy.owner import FIELD_MANAGER


def hook(name: str, server: pulumi.Resource) -> pulumi.ResourceHook:
    """Says it of the Deployment that is about to change, in the preview as well."""

    def say(args: pulumi.ResourceHookArgs) -> None:
        seconds = measured(args.old_outputs or {})
        if seconds is not None:
            text = f"without service for at most {seconds} s when last measured"
            pulumi.log.info(f"{text}, from the order to the ready pod", server)

    opts = pulumi.ResourceHookOptions(on_dry_run=True)
    return pulumi.ResourceHook(f"{name}-downtime", say, opts)


def measured(deployment: Mapping[str, Any]) -> int | None:
    """Seconds from the last order to the ready pod; None where that order rolled no pod."""
    about: Mapping[str, Any] = deployment.get("metadata") or {}
    status: Mapping[str, Any] = deployment.get("status") or {}
    annotations: Mapping[str, Any] = about.get("annotations") or {}
    owner = annotations.get(FIELD_MANAGER)
    ordered = [
        entry["time"] for entry in about.get("managedFields") or () if entry["manager"] == owner
    ]
    complete = [
        condition["lastUpdateTime"]
        for condition in status.get("conditions") or ()
        if condition["reason"] == "NewReplicaSetAvailable"
    ]
    if not (ordered and complete):
        return None
    took = datetime.fromisoformat(complete[0]) - datetime.fromisoformat(max(ordered))
    return int(took.total_seconds()) if took.total_seconds() > 0 else None
