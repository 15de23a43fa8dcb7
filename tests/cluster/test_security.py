"""Pods under Kubernetes' own Pod Security, enforced by the namespace."""

import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from support.deployed import Deployed, kubectl, pods
from support.programs import wait_for
from support.reliability import record
from support.servers import small
from support.stages import AS_USER, COMMON, SERVERS
from support.workspace import merged, plans_of
from trussform import stack_file
from trussform.cli.render import objects

LIKE_VLLM = """python3 -c '
import http.server, os, pathlib, signal

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
pathlib.Path("/root/.cache/models").mkdir(parents=True)
os.chown("/root/.cache/models", 1234, 1234)
http.server.test(http.server.SimpleHTTPRequestHandler, port=80)
'"""
"""Does as root what many images do: a cache at home, a file of another user, a low port."""

RUNS = {
    "baseline": small(docker_server={"start_command": LIKE_VLLM, "server_port": 80}),
    "restricted": small(**AS_USER),
}
"""The servers that each of the two standards must admit."""


@pytest.fixture(scope="module", autouse=True)
def namespaces(deployed: Deployed) -> Iterator[None]:
    for standard in RUNS:
        name = f"models-{standard}"
        kubectl("create", "namespace", name)
        kubectl("label", "namespace", name, f"pod-security.kubernetes.io/enforce={standard}")
    yield
    for standard in RUNS:
        kubectl("delete", "namespace", f"models-{standard}", "--ignore-not-found")


@pytest.fixture(scope="module")
def running(deployed: Deployed) -> Iterator[None]:
    def up(standard: str) -> None:
        deployed.up(standard, {"create_namespace": False, "servers": {"small": RUNS[standard]}})

    with ThreadPoolExecutor() as pool:
        list(pool.map(up, RUNS))
        yield
        list(pool.map(deployed.destroy, RUNS))


@pytest.mark.parametrize(("standard", "user"), [("baseline", "0"), ("restricted", "10001")])
def test_a_server_runs_where_pod_security_is_enforced(
    running: None, client: Callable[..., httpx.Client], standard: str, user: str
) -> None:
    asking = client("small", standard)
    wait_for(lambda: asking.get("/predict").status_code == 200, "the server answers")
    (pod,) = pods(f"models-{standard}", "small")
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
    inside = ("exec", "-n", f"models-{standard}", pod["metadata"]["name"], "--")
    assert kubectl(*inside, "id", "-u").strip() == user
    kubectl(*inside, "touch", "/app/written", "/tmp/written")
    record(
        f"pod-security-{standard}",
        f"a server as user {user} in a namespace that enforces Pod Security's `{standard}`",
        "runs, 0 restarts, `/app` and `/tmp` writable",
    )


def rendered(folder: Path, server: Path, config: dict[str, Any], **stage: Any) -> dict[str, Any]:
    """The pod that the Deployment of a server makes: of a Deployment, Pod Security only warns."""
    whole = {
        **merged(COMMON, {"auth": "none", **stage}),
        "tags": "follow",
        "servers": {"it": {"path": str(server), "config": config}},
    }
    file = folder / "Pulumi.rendered.yaml"
    file.write_text(yaml.safe_dump({"config": {"trussform:stage": whole}}))
    plans, problems = plans_of(stack_file.read_stack(file))
    assert plans, problems
    (made,) = [made for made in objects(plans["it"]) if made["kind"] == "Deployment"]
    pod = made["spec"]["template"]
    return {**pod, "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "it"} | pod["metadata"]}


def refused(pod: dict[str, Any], standard: str) -> str:
    """Why the namespace of that standard does not take the pod; empty where it does."""
    command = ["kubectl", "create", "--dry-run=server", "-n", f"models-{standard}", "-f", "-"]
    given = json.dumps(pod)
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or f'violates PodSecurity "{standard}' in done.stderr, done.stderr
    return done.stderr if done.returncode else ""


@pytest.mark.parametrize("name", SERVERS)
def test_every_example_is_taken_by_baseline_and_as_a_user_by_restricted(
    tmp_path: Path, name: str
) -> None:
    as_it_is = rendered(tmp_path, SERVERS[name], {})
    as_user = rendered(tmp_path, SERVERS[name], AS_USER)
    assert refused(as_it_is, "baseline") == ""
    assert refused(as_user, "restricted") == ""
    assert "runAsNonRoot" in refused(as_it_is, "restricted")


@pytest.mark.parametrize("config", [{}, AS_USER], ids=["root", "user"])
def test_weights_on_the_disk_of_a_node_are_not(tmp_path: Path, config: dict[str, Any]) -> None:
    storage = {"storage": {"kind": "node"}}
    pod = rendered(tmp_path, SERVERS["weights"], config, weights=storage)
    for standard in RUNS:
        assert "hostPath" in refused(pod, standard)
