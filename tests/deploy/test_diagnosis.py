"""Why a Deployment does not come up, as a kubectl tells it that knows the answers beforehand."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest
from trussform.deploy import diagnosis, docker_server, kubectl

KUBECTL = f"""#!{sys.executable}
import json, pathlib, sys
folder = pathlib.Path(__file__).parent
with (folder / "asked").open("a") as file:
    print(*sys.argv[1:], file=file)
for words, answer in json.loads((folder / "answers.json").read_text()):
    if set(words.split()) <= set(sys.argv[1:]):
        print(answer, end="")
        sys.exit()
sys.exit("error: nothing is known of that")
"""
SCHEDULED = {"type": "PodScheduled", "status": "True"}
NOT_READY = {"type": "Ready", "status": "False"}
READY = {"type": "Ready", "status": "True"}

Report = Callable[..., list[str]]


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    """Returns the report if kubectl knows these pods, these events and, by words of its command,
    these logs."""
    program = tmp_path / "kubectl"
    program.write_text(KUBECTL)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    def make(
        *pods: dict[str, Any], events: tuple[dict[str, Any], ...] = (), **logs: str
    ) -> list[str]:
        previous = [("logs --previous", logs["previous"])] if "previous" in logs else []
        present = [("logs", logs["present"])] if "present" in logs else []
        answers = [
            ("get pods", json.dumps({"items": pods})),
            ("get events", json.dumps({"items": events})),
            *previous,
            *present,
        ]
        (tmp_path / "answers.json").write_text(json.dumps(answers))
        return list(diagnosis.report("models", "server"))

    return make


def pod(
    name: str = "server-1", *conditions: dict[str, str], age: int = 0, **container: Any
) -> dict[str, Any]:
    """A pod of one container, of which its status has what is given."""
    created = f"2026-11-20T10:{59 - age}:00Z"
    status = {"name": "server", "ready": False, "restartCount": 0, **container}
    return {
        "metadata": {"name": name, "namespace": "models", "creationTimestamp": created},
        "status": {
            "conditions": list(conditions) or [SCHEDULED, NOT_READY],
            "containerStatuses": [status] if container else [],
        },
    }


CRASHED = pod(
    restartCount=3,
    containerID="containerd://a",
    state={"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting"}},
    lastState={"terminated": {"reason": "Error", "exitCode": 1}},
)


def test_an_image_that_is_not_there(report: Report, tmp_path: Path) -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "Back-off pulling image a/b"}
    event = {"reason": "Failed", "message": "manifest unknown\n"}
    told = report(pod(state={"waiting": waiting}), events=(event, event))
    assert told == [
        "pod server-1:",
        "  container server: ImagePullBackOff: Back-off pulling image a/b",
        "  Failed: manifest unknown",
    ]
    pods, events = (tmp_path / "asked").read_text().splitlines()
    assert "--namespace=models --selector=app.kubernetes.io/name=server --output=json" in pods
    assert "--field-selector=type=Warning,involvedObject.name=server-1" in events
    assert "--request-timeout=20s" in pods


def test_a_server_that_crashes_has_the_last_word(report: Report) -> None:
    told = report(CRASHED, present="loading\nno such model\n")
    assert told == [
        "pod server-1:",
        "  container server: CrashLoopBackOff: back-off 40s restarting",
        "  container server ended: Error, exit code 1",
        "  last lines of container server:",
        "    loading",
        "    no such model",
    ]


@pytest.mark.parametrize("present", [{"present": ""}, {}])
def test_the_container_before_is_heard_where_the_present_one_says_nothing(
    report: Report, present: dict[str, str]
) -> None:
    told = report(CRASHED, previous="no such model\n", **present)
    assert told[-2:] == ["  last lines of container server:", "    no such model"]
    assert len(told) == 5


def test_a_pod_that_no_node_can_take(report: Report) -> None:
    why = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
    }
    told = report(pod("server-1", why))
    assert told == [
        "pod server-1:",
        "  Unschedulable: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
    ]


def test_what_comes_before_the_server_is_heard_too(report: Report) -> None:
    made = pod(state={"waiting": {"reason": "PodInitializing", "message": None}})
    ended = {"terminated": {"reason": "Error", "exitCode": 2}}
    fetch = {"name": "fetch", "ready": False, "containerID": "containerd://b", "state": ended}
    made["status"]["initContainerStatuses"] = [fetch]
    told = report(made, present="access is restricted\n")
    assert "  container fetch ended: Error, exit code 2" in told
    assert told[-2:] == ["  last lines of container fetch:", "    access is restricted"]


def test_the_newest_of_the_pods_that_are_not_ready_are_shown(report: Report) -> None:
    pods = [pod(f"server-{age}", age=age) for age in (4, 1, 3, 2)]
    told = report(pod("old", SCHEDULED, READY, age=9), *pods)
    assert told == ["pod server-1:", "pod server-2:", "pod server-3:"]


def test_no_pod_at_all_is_said(report: Report) -> None:
    assert report() == ["the namespace models has no pod of the server"]


BY_HAND = "kubectl cannot read the pods here; run: kubectl get pods,events --namespace models"


@pytest.mark.parametrize("script", [None, "exit 1", "echo no JSON"])
def test_without_a_kubectl_that_answers_there_is_a_command_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if script is not None:
        (tmp_path / "kubectl").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "kubectl").chmod(0o755)
    assert list(diagnosis.report("models", "server")) == [BY_HAND]


def test_a_kubectl_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubectl, "TIMEOUT", 0.1)
    (tmp_path / "kubectl").write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    (tmp_path / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert list(diagnosis.report("models", "server")) == [BY_HAND]


def failed(operation: str, **inputs: Any) -> bool:
    """Returns true if the hook of a Deployment asks for another try."""
    args = pulumi.ErrorHookArgs(
        "urn", "id", "server-deployment", "type", failed_operation=operation, **inputs
    )
    return docker_server._failed(args)  # pyright: ignore[reportPrivateUsage]


def test_what_looks_like_a_secret_is_not_shown_and_nothing_is_tried_again(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "hf_" + "a1B2c3D4" * 4
    report(CRASHED, present=f"login with {token} failed\x1b[31m\n")
    shown: list[str] = []
    monkeypatch.setattr(pulumi.log, "error", shown.append)
    metadata = {"name": "server", "namespace": "models"}
    assert failed("create", new_inputs={"metadata": metadata}) is False
    (text,) = shown
    assert text.startswith("server-deployment: the pods are not ready:\npod server-1:\n")
    assert "    login with … failed\\x1b[31m" in text
    assert token not in text


def test_nobody_asks_why_a_deployment_does_not_go(
    report: Report, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(pulumi.log, "error", shown.append)
    assert failed("delete", old_inputs={"metadata": {"name": "server"}}) is False
    assert (shown, (tmp_path / "asked").exists()) == ([], False)


def test_nothing_is_said_where_the_pods_have_nothing_to_say(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the API server has refused a change, with a reason of its own."""
    assert report(pod("server-1", SCHEDULED, READY)) == []
    shown: list[str] = []
    monkeypatch.setattr(pulumi.log, "error", shown.append)
    assert (
        failed("update", new_inputs={"metadata": {"name": "server", "namespace": "models"}})
        is False
    )
    assert shown == []
