"""The downtime of the last rollout, read from the state of a Deployment."""

from typing import Any

import pulumi
import pytest
from trussform.deploy import downtime
from trussform.deploy.downtime import measured

OWNER = "pulumi-p-dev"


def deployment(ordered: str, complete: str, reason: str = "NewReplicaSetAvailable") -> Any:
    return {
        "metadata": {
            "creationTimestamp": "2026-11-25T11:00:00Z",
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
        deployment("2026-11-25T12:05:00Z", "2026-11-25T12:01:21Z"),
        deployment("2026-11-25T12:00:35Z", "2026-11-25T12:01:21Z", "ProgressDeadlineExceeded"),
        deployment("2026-11-25T11:00:00Z", "2026-11-25T11:01:21Z"),
    ],
    ids=["an order that rolled no pod", "an update that failed", "the first start"],
)
def test_nothing_is_said_where_nothing_was_measured(outputs: Any) -> None:
    assert measured(outputs) is None


GOOD = deployment("2026-11-25T12:00:35Z", "2026-11-25T12:01:21Z")


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        (GOOD, ["at most 46 s of downtime in the last rollout, from its start to the ready"
                " pod"]),
        (None, []),
        ({}, []),
        ({"metadata": None, "status": None}, []),
        ({**GOOD, "metadata": {**GOOD["metadata"], "managedFields": [{"time": "yesterday"}]}}, []),
        ({**GOOD, "status": pulumi.Output.secret(GOOD["status"])}, []),
    ],
    ids=["an update", "no state", "an empty state", "nulls", "another form", "a secret"],
)  # fmt: skip
def test_a_state_of_any_form_stops_no_update(
    monkeypatch: pytest.MonkeyPatch, outputs: Any, said: list[str]
) -> None:
    texts: list[str] = []

    def info(text: str, _: object) -> None:
        texts.append(text)

    monkeypatch.setattr(pulumi.log, "info", info)
    args = pulumi.ResourceHookArgs("urn", "id", "name", "type", old_outputs=outputs)
    downtime.say(args, pulumi.Resource.__new__(pulumi.Resource))
    assert texts == said
