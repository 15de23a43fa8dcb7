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
    ordered = _times(about.get("managedFields"), "time", "manager", annotations.get(FIELD_MANAGER))
    complete = _times(
        status.get("conditions"), "lastUpdateTime", "reason", "NewReplicaSetAvailable"
    )
    if not (ordered and complete):
        return None
    took = int((max(complete) - max(ordered)).total_seconds())
    return took if took > 0 else None


def _times(entries: Any, time: str, key: str, value: str | None) -> list[datetime]:
    """When the entries were written that have this value at a key."""
    return [
        datetime.fromisoformat(entry[time])
        for entry in entries or ()
        if value is not None and entry.get(key) == value and entry.get(time)
    ]
