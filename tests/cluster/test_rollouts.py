"""Updates under a constant load of streaming requests: what is lost, and for how long."""

import json
import re
import subprocess
from typing import Any

import pytest
from support.deployed import ByPulumi, Deployed, kubectl, pods
from support.load import Load, load, wait_for_answer
from support.programs import wait_for
from support.reliability import SOAK, record
from support.routes import ENVOY
from support.workspace import plans_of
from trussform import stack_file

UPDATES, FEWER, ABRUPT = (20, 10, 10) if SOAK else (2, 2, 1)
at_length = pytest.mark.skipif(not SOAK, reason="needs all the node's GPUs: `make soak`")
REQUESTS = 500 if SOAK else 50
"""Requests for each update that a run has at least."""


def stage(accelerator: str, **changes: Any) -> dict[str, Any]:
    config = {"resources": {"accelerator": accelerator}}
    servers = {"tokens": {"path": "servers/tokens", "config": config}}
    return {"route": ENVOY, "servers": servers, **changes}


def up(deployed: Deployed, environment: str, given: dict[str, Any], version: str) -> None:
    given["servers"]["tokens"]["config"]["environment_variables"] = {"VERSION": version}
    deployed.up(environment, given)


def updated(deployed: Deployed, environment: str, given: dict[str, Any], updates: int) -> Load:
    """The load during one update after the other, each waited for until it answers alone."""
    up(deployed, environment, given, "0")
    wait_for_answer("tokens", environment)
    with load("tokens", environment) as running:
        for i in range(1, updates + 1):
            up(deployed, environment, given, str(i))
            wait_for(lambda i=i: running.version() == str(i), f"version {i} answers")
        wait_for(lambda: len(running.served) >= updates * REQUESTS, "enough requests", 600)
    return running


def test_updates_with_a_spare_gpu_lose_no_request(deployed: Deployed) -> None:
    running = updated(deployed, "rolling", stage("L4", spare_gpus=1), UPDATES)
    record(
        "update-spare-gpu",
        f"{UPDATES} updates of one replica on a GPU, with a spare GPU",
        str(running),
    )
    assert running.lost == []


def test_a_server_that_ends_at_once_on_sigterm_loses_no_request(deployed: Deployed) -> None:
    """Requests take 20 s, and SIGTERM would come after 5. Of one server the process is process 1;
    of the other it is below three shells."""
    alone = {"docker_server": {"start_command": "python3 /app/data/server.py"}}
    servers: dict[str, dict[str, Any]] = {
        "alone": {"path": "servers/abrupt", "config": alone},
        "deep": {"path": "servers/abrupt", "config": {}},
    }

    def up(version: str) -> None:
        for server in servers.values():
            server["config"]["environment_variables"] = {"VERSION": version}
        deployed.up("abrupt", {"route": ENVOY, "request_timeout": None, "servers": servers})

    up("0")
    for name in servers:
        wait_for_answer(name, "abrupt")
    with load("alone", "abrupt") as one, load("deep", "abrupt") as other:
        for i in range(1, ABRUPT + 1):
            up(str(i))
            for running in (one, other):
                wait_for(lambda r=running, i=i: r.answers(str(i)), f"version {i} answers")
    deployed.destroy("abrupt")
    for id, running, where in (
        ("alone", one, "as process 1"),
        ("deep", other, "below three shells"),
    ):
        record(
            f"update-abrupt-{id}",
            f"{ABRUPT} updates of a server that ends at once on SIGTERM, {where}; requests of 20 s",
            str(running),
        )
    assert one.lost == other.lost == []


def evicts(pod: str) -> bool:
    """Evicts a pod as the drain of its node does; returns false if Kubernetes refuses."""
    path = "/api/v1/namespaces/models-rolling/pods/" + pod
    wanted = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    command = ["kubectl", "create", "--raw", f"{path}/eviction", "--filename", "-"]
    asked = subprocess.run(
        command, input=json.dumps(wanted), capture_output=True, text=True, check=False
    )
    assert asked.returncode == 0 or "disruption budget" in asked.stderr, asked.stderr
    return asked.returncode == 0


def test_drains_take_one_replica_at_a_time_and_lose_no_request(deployed: Deployed) -> None:
    up(deployed, "rolling", stage("L4", replicas=2), "drained")
    # Where replicas change as well, Pulumi may be content before the last pod is another one.
    kubectl("rollout", "status", "deployment/tokens", "-n", "models-rolling", "--timeout=120s")
    field = "-o=jsonpath={.status.disruptionsAllowed}"
    allowed = ("get", "pdb/tokens", "-n", "models-rolling", field)
    wait_for(lambda: kubectl(*allowed) == "1", "one pod may go")
    wait_for_answer("tokens", "rolling")
    first, second = [pod["metadata"]["name"] for pod in pods("models-rolling", "tokens")]
    with load("tokens", "rolling") as running:
        wait_for(lambda: bool(running.served), "the server answers")
        assert [evicts(first), evicts(second)] == [True, False]
        wait_for(lambda: evicts(second), "another pod has taken the first one's place")
        wait_for(lambda: not {first, second} & ready("tokens"), "both are other pods")
        wait_for(lambda: len(ready("tokens")) == 2, "and there are two of them")
    record(
        "node-drain", "the drain of a node with both replicas of a server, pod by pod", str(running)
    )
    assert running.lost == []


def ready(server: str) -> set[str]:
    """The names of the pods that take requests."""
    return {
        pod["metadata"]["name"]
        for pod in pods("models-rolling", server)
        for condition in pod["status"].get("conditions", [])
        if (condition["type"], condition["status"]) == ("Ready", "True")
    }


@at_length
def test_updates_of_two_replicas_without_a_spare_gpu_lose_no_request(deployed: Deployed) -> None:
    running = updated(deployed, "rolling", stage("L4:2", replicas=2), FEWER)
    record(
        "update-two-replicas",
        f"{FEWER} updates of two replicas on all four GPUs, no spare",
        str(running),
    )
    assert running.lost == []


@at_length
def test_an_update_without_a_spare_gpu_is_as_long_as_planned_at_most(deployed: Deployed) -> None:
    given = stage("L4:4")
    gaps: list[float] = []
    up(deployed, "rolling", given, "0")
    wait_for_answer("tokens", "rolling")
    stack = stack_file.read_stack(deployed.project.file("rolling"))
    plans, _ = plans_of(stack)
    bound = plans["tokens"].rollout.downtime
    assert f"maximum downtime {bound} s" in plans["tokens"].rollout.why
    for i in range(1, (5 if SOAK else 1) + 1):
        with load("tokens", "rolling") as running:
            wait_for(lambda running=running: bool(running.served), "the server answers")
            up(deployed, "rolling", given, str(i))
            wait_for(lambda running=running, i=i: running.version() == str(i), "the new one does")
        gaps.append(running.longest_gap())
    pending = "--field-selector=status.phase=Pending"
    waiting = kubectl("get", "pods", "-n", "models-rolling", pending, "-o", "name")
    record(
        "update-no-spare-gpu",
        f"{len(gaps)} updates of one replica on all four GPUs, no spare",
        f"away for {max(gaps):.0f} s at most, planned: {bound} s at most",
    )
    assert not waiting
    assert max(gaps) <= bound


def test_a_preview_says_how_long_the_last_update_took(engine: ByPulumi) -> None:
    given = stage("L4")
    up(engine, "rolling", given, "before")
    up(engine, "rolling", given, "last")
    given["servers"]["tokens"]["config"]["environment_variables"] = {"VERSION": "next"}
    engine.project.write("rolling", given)
    said = engine.stack("rolling").preview().stdout
    found = re.search(r"at most (\d+) s of downtime in the last rollout", said)
    assert found, said
    record(
        "last-downtime",
        "the preview of an update of one replica without a spare GPU",
        f"says how long the last one took: {found[1]} s",
    )


@pytest.fixture(scope="module", autouse=True)
def ended(deployed: Deployed) -> Any:
    """The GPUs are free again for the tests after these."""
    yield
    deployed.destroy("rolling")
