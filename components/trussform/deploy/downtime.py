"""The downtime of a server's last rollout, for the preview of the next one.

Pulumi's state has it: when the update was ordered is the time of the stack's own fields in
`metadata.managedFields`, and the Deployment's condition `Progressing` says when it was complete.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pulumi

from trussform.deploy.kubernetes_object import FIELD_MANAGER


def hook(name: str, server: pulumi.Resource) -> pulumi.ResourceHook:
    """Returns the hook that logs the last downtime before an update, and in its preview."""
    opts = pulumi.ResourceHookOptions(on_dry_run=True)
    return pulumi.ResourceHook(f"{name}-downtime", lambda args: say(args, server), opts)


def say(args: pulumi.ResourceHookArgs, server: pulumi.Resource) -> None:
    try:
        seconds = measured(args.old_outputs or {})
    except (AttributeError, KeyError, TypeError, ValueError):
        return  # A state of another form says nothing, and stops no update.
    if seconds is not None:
        text = f"at most {seconds} s of downtime in the last rollout"
        pulumi.log.info(f"{text}, from its start to the ready pod", server)


def measured(deployment: Mapping[str, Any]) -> int | None:
    """Returns the seconds from the last update's start to the ready pod.

    None if the last update was the first start, which took no pod away, or rolled no pod.
    """
    about = deployment["metadata"]
    ordered = max(
        datetime.fromisoformat(entry["time"])
        for entry in about["managedFields"]
        if entry["manager"] == about["annotations"][FIELD_MANAGER]
    )
    complete = [
        datetime.fromisoformat(condition["lastUpdateTime"])
        for condition in deployment["status"]["conditions"]
        if condition["reason"] == "NewReplicaSetAvailable"
    ]
    is_first = ordered == datetime.fromisoformat(about["creationTimestamp"])
    if is_first or not complete or complete[0] <= ordered:
        return None
    return int((complete[0] - ordered).total_seconds())
