"""Updates that cannot come up, and an up that is killed: what is said, and what goes on serving."""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pulumi.automation import CommandError
from support.deployed import ByPulumi, kubectl, pods
from support.load import Load, load, wait_for_answer
from support.reliability import SOAK, record
from support.routes import ENVOY, gateway
from trussform.problem import counted

KILLS = 20 if SOAK else 3
SHORT: dict[str, Any] = {
    "route": ENVOY,
    "request_timeout": 5,
    "deadlines": {"provisioning": 0, "pull": 0, "startup": 20},
}
BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "missing": (
        {"base_image": {"image": f"localhost:5443/base/nobody@sha256:{'0' * 64}"}},
        ["ImagePullBackOff", "nobody@sha256"],
    ),
    "crashing": (
        {"docker_server": {"start_command": "python3 -c 'raise SystemExit(\"no such model\")'"}},
        ["exit code 1", "no such model"],
    ),
    "silent": (
        {
            "docker_server": {
                "start_command": "python3 -uc 'import time; print(\"loading\"); time.sleep(999)'"
            }
        },
        ["Startup probe failed", "loading"],
    ),
    "huge": ({"resources": {"cpu": "1000"}}, ["Unschedulable", "Insufficient cpu"]),
}
"""The change of each server, and the text that the report must contain."""


def stage(config: dict[str, Any] | None = None) -> dict[str, Any]:
    return {**SHORT, "servers": {"tokens": {"path": "servers/tokens", "config": config or {}}}}


@pytest.fixture
def failing(engine: ByPulumi) -> Iterator[ByPulumi]:
    """A good server for each bad update, in a stack of its own: Pulumi may give up on others of a
    stack where one has failed."""
    good = [stage() for _ in BAD]
    with ThreadPoolExecutor(len(BAD)) as pool:
        list(pool.map(engine.up, BAD, good))
        yield engine
        list(pool.map(engine.destroy, BAD))


def bad_up(engine: ByPulumi, name: str) -> tuple[str, float, Load]:
    """Returns the output, the seconds until then, and the result of the load meanwhile."""
    wait_for_answer("tokens", name)
    began = time.monotonic()
    with load("tokens", name, workers=4) as running, pytest.raises(CommandError) as stopped:
        engine.up(name, stage(BAD[name][0]))
    return str(stopped.value), time.monotonic() - began, running


def test_a_bad_update_ends_with_its_cause_and_the_old_pod_goes_on_serving(
    failing: ByPulumi,
) -> None:
    with ThreadPoolExecutor(len(BAD)) as pool:
        results = pool.map(bad_up, [failing] * len(BAD), BAD)
        ended = dict(zip(BAD, results, strict=True))
    for name, (said, took, running) in ended.items():
        unsaid = [word for word in BAD[name][1] if word not in said]
        assert unsaid == [], said
        assert "Traceback" not in said
        assert running.served
        assert running.lost == [], name
        record(
            f"bad-update-{name}",
            f"an update that cannot come up: {name}",
            f"`pulumi up` ends after {took:.0f} s and says why; the old pod serves on: {running}",
        )
    with ThreadPoolExecutor(len(BAD)) as pool:
        list(pool.map(failing.up, BAD, [stage() for _ in BAD]))
    for name in BAD:
        assert set(failing.stack(name).preview().change_summary) == {"same"}
        (pod,) = pods(f"models-{name}", "tokens")
        assert pod["status"]["containerStatuses"][0]["ready"]


def to_kill(version: int) -> dict[str, Any]:
    """A stage with all kinds of objects, each version another."""
    config = {"environment_variables": {"VERSION": str(version)}, "secrets": {"token": ""}}
    return {
        **SHORT,
        "auth": {"kind": "api-key", "keys": ["client"]},
        "ingress_from": [{"cidr": "0.0.0.0/0"}],
        "servers": {"tokens": {"path": "servers/tokens", "config": config}},
    }


def test_a_killed_up_is_made_good_by_the_next(engine: ByPulumi) -> None:
    """Killed with everything that it started, at random moments; every second time it is the first
    `up`. Only a Secret whose creation was interrupted may remain, because its name is random."""
    gateway("envoy")
    moments = random.Random(20261125)
    orphans: set[tuple[str, str]] = set()
    ups = killed = 0
    while killed < KILLS:
        ups += 1
        stack = engine.stack("killed")
        engine.project.write("killed", to_kill(ups))
        engine.secrets("killed", token=f"token {ups}", client="a-key")
        killed += kill_during_up(engine, moments.uniform(1, 12))
        stack.cancel()  # The killed one has left its lock.
        stack.up()
        assert set(stack.preview().change_summary) == {"same"}
        known, found = objects_of_state(stack.export_stack()), objects_of_cluster("models-killed")
        assert known <= found
        orphans |= found - known
        assert {kind for kind, _ in orphans} <= {"Secret"}
        if ups % 2 == 0 or killed == KILLS:
            engine.destroy("killed")
    record(
        "killed-up",
        f"`pulumi up` killed by SIGKILL at {KILLS} random moments, every second time the first up, "
        "then `pulumi cancel` and `up`",
        f"each converged, the next preview was empty, {counted(len(orphans), 'Secret')} remained",
    )


def kill_during_up(engine: ByPulumi, seconds: float) -> bool:
    """Returns true if it still ran at that moment."""
    command = ["pulumi", "up", "--yes", "--non-interactive", "--stack", "killed"]
    environment = {**os.environ, **engine.engine.environment}
    running = subprocess.Popen(
        command, cwd=engine.project.folder, env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        running.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        return True
    return False


KINDS = {
    "Deployment": "deployments",
    "Service": "services",
    "Secret": "secrets",
    "HTTPRoute": "httproutes",
    "NetworkPolicy": "networkpolicies",
    "SecurityPolicy": "securitypolicies",
}


def objects_of_cluster(namespace: str) -> set[tuple[str, str]]:
    kinds = ",".join(KINDS.values())
    found = json.loads(kubectl("get", kinds, "-n", namespace, "-o", "json"))["items"]
    return {(made["kind"], made["metadata"]["name"]) for made in found}


def objects_of_state(exported: Any) -> set[tuple[str, str]]:
    inputs = [made.get("outputs", {}) for made in exported.deployment["resources"]]
    return {
        (made["kind"], made["metadata"]["name"]) for made in inputs if made.get("kind") in KINDS
    }
