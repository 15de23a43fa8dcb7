"""The hand-over of the number of replicas, with a kubectl that gives recorded answers."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest
from trussform.deploy import scaling

KUBECTL = f"""#!{sys.executable}
import json, pathlib, sys
folder = pathlib.Path(__file__).parent
words = [word for word in sys.argv[1:] if not word.startswith("--request-timeout")]
with (folder / "asked").open("a") as file:
    print(*words, file=file)
looks = (folder / "asked").read_text().count("get deployment")
later = folder / "later.json"
given = later if later.exists() and looks > 2 else folder / "answers.json"
answers = json.loads(given.read_text())
answer = answers.get(" ".join(words[:2]), "")
if answer is None:
    sys.exit("Error from server: timed out")
print(json.dumps(answer) if answer else "", end="")
"""
TO_ZERO = {"get scaledobject.keda.sh": {"spec": {"minReplicaCount": 0}}}
TO_ONE = {"get scaledobject.keda.sh": {"spec": {"minReplicaCount": 1}}}
CLEARED = (
    "annotate scaledobject.keda.sh/server --namespace=models --overwrite "
    "autoscaling.keda.sh/force-activation- autoscaling.keda.sh/paused-"
)
HERE = "--namespace=models"

Ask = Callable[..., list[str]]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Returns what a hook asked kubectl, apart from its reads, if kubectl has these answers."""
    program = tmp_path / "kubectl"
    program.write_text(KUBECTL)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def make(hook: Callable[[Any], None], args: Any, answers: dict[str, Any]) -> list[str]:
        (tmp_path / "answers.json").write_text(json.dumps(answers))
        (tmp_path / "asked").write_text("")
        hook(args)
        asked = (tmp_path / "asked").read_text().splitlines()
        return [line for line in asked if not line.startswith("get ")]

    return make


def running(replicas: int, uid: str = "1") -> dict[str, Any]:
    return {
        "get deployment": {"metadata": {"uid": uid}, "spec": {"replicas": replicas}},
        **TO_ZERO,
    }


def inputs(image: str, replicas: int | None = None) -> dict[str, Any]:
    annotations = {"trussform/replicas": "keda"} if replicas is None else {}
    number = {} if replicas is None else {"replicas": replicas}
    return {
        "metadata": {"name": "server", "namespace": "models", "annotations": annotations},
        "spec": {**number, "template": {"image": image}},
    }


def update(old: dict[str, Any], new: dict[str, Any]) -> pulumi.ResourceHookArgs:
    outputs = {**old, "metadata": {**old["metadata"], "uid": "1"}}
    return pulumi.ResourceHookArgs("urn", "id", "server", "type", new, old, None, outputs)


CHANGED = update(inputs("old"), inputs("new"))


@pytest.mark.parametrize("replicas", [1, 3])
def test_keda_keeps_a_pod_until_the_update_ends(ask: Ask, replicas: int) -> None:
    assert ask(scaling.start, CHANGED, running(replicas)) == [
        f"annotate scaledobject.keda.sh/server {HERE} --overwrite "
        "autoscaling.keda.sh/force-activation=true",
    ]


def test_at_zero_the_update_waits_for_a_pod(ask: Ask, tmp_path: Path) -> None:
    """KEDA has started it at the third look."""
    (tmp_path / "later.json").write_text(json.dumps(running(1)))
    asked = ask(scaling.start, CHANGED, running(0))
    assert len(asked) == 1
    assert (tmp_path / "asked").read_text().count("get deployment") == 3


@pytest.mark.parametrize(
    ("args", "answers"),
    [
        (CHANGED, {**running(2), **TO_ONE}),
        (update(inputs("same"), inputs("same")), running(0)),
        (CHANGED, {**running(0), "get scaledobject.keda.sh": ""}),
    ],
    ids=["KEDA never takes the last pod", "the pods do not change", "KEDA does not scale it yet"],
)
def test_no_pod_is_kept_where_none_would_go(
    ask: Ask, args: pulumi.ResourceHookArgs, answers: dict[str, Any]
) -> None:
    assert ask(scaling.start, args, answers) == []


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({**TO_ZERO, "get deployment": None}, "Error from server: timed out"),
        (running(0, uid="2"), "this shell's kubectl asks another cluster than Pulumi"),
        (running(0), "KEDA has started no pod within 0 s"),
    ],
)
def test_an_update_that_nothing_would_run_fails(
    ask: Ask,
    answers: dict[str, Any],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """And leaves no annotation behind, which would keep a GPU for ever."""
    monkeypatch.setattr(scaling, "_SECONDS", 0)
    with pytest.raises(RuntimeError) as caught:
        ask(scaling.start, CHANGED, answers)
    assert str(caught.value) == (
        f"kubectl cannot keep a pod of server running to try the new version ({reason}); let this "
        "shell's kubectl reach the cluster, or set `min_replica: 1`"
    )
    assert (tmp_path / "asked").read_text().splitlines()[-1] == CLEARED


def test_with_a_pod_at_least_the_update_goes_on(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    ask(scaling.try_to_start, CHANGED, {**TO_ZERO, "get deployment": None})
    assert len(said) == 1


def test_without_kubectl_the_reason_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"\(.*kubectl.*\)"):
        scaling.start(CHANGED)


def test_a_fixed_number_takes_over_from_keda(ask: Ask) -> None:
    assert ask(scaling.pause, update(inputs("old"), inputs("old", 3)), running(1)) == [
        f"annotate scaledobject.keda.sh/server {HERE} --overwrite autoscaling.keda.sh/paused=true",
        f"wait scaledobject/server {HERE} --for=condition=Paused --timeout=120s",
        f"wait hpa/keda-hpa-server {HERE} --for=delete --timeout=120s",
        f"scale deployment/server {HERE} --replicas=3",
    ]


def test_nothing_takes_over_where_pulumi_had_the_number_already(ask: Ask) -> None:
    assert ask(scaling.pause, update(inputs("old", 2), inputs("new", 3)), running(2)) == []


def test_a_number_that_keda_keeps_stops_the_update(ask: Ask, tmp_path: Path) -> None:
    answers = {**running(1), "wait scaledobject/server": None}
    with pytest.raises(RuntimeError, match="KEDA still owns the number of replicas of server"):
        ask(scaling.pause, update(inputs("old"), inputs("old", 3)), answers)
    assert (tmp_path / "asked").read_text().splitlines()[-1] == CLEARED


def test_afterwards_keda_scales_again(ask: Ask) -> None:
    assert ask(scaling.release, CHANGED, running(1)) == [CLEARED]
    assert ask(scaling.release, CHANGED, {**running(1), "get scaledobject.keda.sh": ""}) == []


def test_what_is_left_behind_is_said_with_the_command_and_fails_nothing(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    ask(scaling.release, CHANGED, {**running(1), "annotate scaledobject.keda.sh/server": None})
    assert said == [
        "KEDA may keep a pod of server, or not scale it (Error from server: timed out); run: "
        "kubectl annotate scaledobject/server -n models autoscaling.keda.sh/force-activation- "
        "autoscaling.keda.sh/paused-"
    ]


def test_a_server_without_keda_asks_kubectl_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor one with an autoscaler of the user's, whose Deployment has no number either."""
    monkeypatch.setenv("PATH", str(tmp_path))
    plain = inputs("old", 2)
    scaling.pause(update(plain, inputs("new", 3)))
    assert not scaling.is_scaled(plain)
    assert scaling.is_scaled(inputs("old"))
