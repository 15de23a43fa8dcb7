"""What is read from the state of a Deployment on its last update."""

from typing import Any

import pytest
from trussform.deploy.downtime import measured

OWNER = "pulumi-p-dev"


def deployment(ordered: str, complete: str, reason: str = "NewReplicaSetAvailable") -> Any:
    return {
        "metadata": {
            "annotations": {"pulumi.com/patchFieldManager": OWNER},
            "managedFields": [
                {"manager": OWNER, "operation": "Apply", "time": ordered},
                {"manager": "kube-controller-manager", "time": "2026-11-25T12:09:00Z"},
            ],
        },
        "status": {
            "conditions": [
                {"reason": "MinimumReplicasAvailable", "lastUpdateTime": "2026-11-25T12:00:00Z"},
                {"reason": reason, "lastUpdateTime": complete},
            ]
        },
    }


def test_the_time_is_that_from_the_order_to_the_ready_pod() -> None:
    assert measured(deployment("2026-11-25T12:00:35Z", "2026-11-25T12:01:21Z")) == 46


@pytest.mark.parametrize(
    "outputs",
    [
        {},
        {"metadata": {"annotations": None}, "status": None},
        deployment("2026-11-25T12:05:00Z", "2026-11-25T12:01:21Z"),
        deployment("2026-11-25T12:00:35Z", "2026-11-25T12:01:21Z", "ProgressDeadlineExceeded"),
    ],
    ids=["no state", "an empty state", "an order that rolled no pod", "an update that failed"],
)
def test_nothing_is_said_where_nothing_was_measured(outputs: Any) -> None:
    assert measured(outputs) is None
