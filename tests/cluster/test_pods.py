"""The files and variables of a server's pod, and its restart and its end."""

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from support.cluster import cluster, needed
from support.deployed import ByPulumi, Deployed, destroy, kubectl, pods
from support.programs import wait_for
from support.reliability import record

MakeClient = Callable[..., httpx.Client]


@pytest.fixture(scope="module", autouse=True)
def ended(deployed: Deployed) -> Iterator[None]:
    yield
    destroy(deployed, "bare", "users")


def files(client: httpx.Client) -> dict[str, Any]:
    return client.get("/sync/files").json()


def test_the_secret_is_a_file_with_the_right_bytes_and_nowhere_else(
    dev: str, client: MakeClient, token: str
) -> None:
    found = files(client())
    assert (found["secret"], found["mode"]) == (token, "0o440")
    assert token not in json.dumps(found["environment"])
    line = token.splitlines()[1]
    folders = "-path /proc -o -path /sys -o -path /usr -o -path /dev"
    search = rf"find / \( {folders} \) -prune -o -type f -exec grep -lF '{line}' {{}} + || true"
    where = kubectl("exec", "-n", "models-dev", "deployment/echo", "--", "sh", "-c", search)
    (file,) = where.split()
    assert re.fullmatch(r"/secrets/\.\.[^/]+/token", file)


def test_app_and_tmp_are_writable_as_root(dev: str, client: MakeClient) -> None:
    found = files(client())
    assert found["uid"] == 0
    assert found["writable"] == {"/app": True, "/tmp": True, "/dev/shm": True}
    assert {"config.yaml", "data"} <= set(found["app"])


def echo_pod() -> dict[str, Any]:
    (pod,) = pods("models-dev", "echo")
    return pod


def test_the_pod_runs_the_digest_that_was_built(dev: str, engine: ByPulumi) -> None:
    image = engine.stack("dev").outputs()["echo"].value["image"]
    assert "@sha256:" in image
    (status,) = echo_pod()["status"]["containerStatuses"]
    assert status["imageID"].endswith(image.partition("@")[2])


def test_it_is_scheduled_on_the_l4_node_with_its_gpu(dev: str) -> None:
    node = json.loads(kubectl("get", "node", echo_pod()["spec"]["nodeName"], "-o", "json"))
    assert node["metadata"]["labels"]["nvidia.com/gpu.product"] == "NVIDIA-L4"


def test_readiness_gates_traffic_and_restarts_nothing(dev: str, client: MakeClient) -> None:
    started = client().get("/predict").json()["started"]
    assert client().get("/sync/change?ready=no").json()["ready"] is False
    wait_for(lambda: client().get("/predict").status_code >= 500, "traffic has stopped")
    # Nothing comes through the gateway any more, so the word that helps goes in from inside.
    inside = "import urllib.request as u; u.urlopen('http://127.0.0.1:9000/change?ready=yes')"
    kubectl("exec", "-n", "models-dev", "deployment/echo", "--", "python3", "-c", inside)
    wait_for(lambda: client().get("/predict").status_code == 200, "traffic has come back")
    assert client().get("/predict").json()["started"] == started


def test_the_probes_ask_the_configs_paths_liveness_after_its_delay(
    dev: str, client: MakeClient
) -> None:
    def probes() -> dict[str, float]:
        return client().get("/sync/probes").json()

    wait_for(lambda: "/live" in probes(), "liveness is asked")
    assert probes().keys() == {"/ready", "/live"}
    # The config delays it by 30 s; without that it would be asked within two periods, 20 s.
    assert probes()["/live"] > 25


def test_a_hung_server_is_restarted(dev: str, client: MakeClient) -> None:
    started = client().get("/predict").json()["started"]
    client().get("/sync/change?alive=no")
    wait_for(lambda: echo_pod()["status"]["containerStatuses"][0]["restartCount"] > 0,
             "the container has been restarted", 180)  # fmt: skip

    def restarted() -> bool:
        response = client().get("/predict")
        return response.status_code == 200 and response.json()["started"] != started

    wait_for(restarted, "the server has been restarted", 180)


def test_a_stopping_server_finishes_its_request_long_before_the_grace_period_ends(
    dev: str, client: MakeClient
) -> None:
    """The server is behind `sh -c`, so that SIGTERM reaches only the shell."""
    assert files(client())["process"] == "sh"
    answer: list[str] = []
    asking = client()

    def ask() -> None:
        answer.append(asking.get("/sync/slow?seconds=10").text)

    thread = threading.Thread(target=ask)
    thread.start()
    pod = echo_pod()
    name, grace = pod["metadata"]["name"], pod["spec"]["terminationGracePeriodSeconds"]
    began = time.monotonic()
    kubectl("delete", "pod", "-n", "models-dev", name, "--wait=true")
    took = time.monotonic() - began
    thread.join()
    assert answer == ["finished"]
    assert took < grace / 2
    wait_for(lambda: client().get("/predict").status_code == 200, "the next pod answers")


def test_an_image_without_a_shell_finishes_its_request_too(
    deployed: Deployed, client: MakeClient
) -> None:
    """Nothing of its pod needs a program of the image's: neither preStop nor an init container."""
    base = {"base_image": {"image": needed(cluster().images.bare, "images.bare")}}
    servers = {"bare": {"path": "servers/bare", "config": base}}
    deployed.up("bare", {"servers": servers})
    asking = client("bare", "bare")
    wait_for(lambda: asking.get("/predict").status_code == 200, "the route is there")
    shell = ["kubectl", "exec", "-n", "models-bare", "deployment/bare", "--", "sh"]
    assert subprocess.run(shell, capture_output=True, check=False).returncode != 0
    with asking.stream("GET", "/sync/?seconds=4") as answer:
        pieces = answer.iter_text()
        first = next(pieces)
        (pod,) = pods("models-bare", "bare")
        kubectl("delete", "pod", "-n", "models-bare", pod["metadata"]["name"], "--wait=false")
        rest = "".join(pieces)
    assert first + rest == "piece " * 4 + "finished by 10001"
    record(
        "no-shell",
        "a pod of an image without a shell is deleted during a streamed answer of 4 s",
        "the answer is whole",
    )


@pytest.mark.parametrize(("user", "uid"), [(None, 1234), (4321, 4321)])
def test_any_user_reads_the_secret_and_writes_where_it_may(
    deployed: Deployed, client: MakeClient, token: str, user: int | None, uid: int
) -> None:
    """In an image whose own user is not root, and that has a file in /app."""
    config = {
        "base_image": {"image": needed(cluster().images.user, "images.user")},
        "docker_server": {"run_as_user_id": user} if user else {},
    }
    servers = {"small": {"path": "servers/small", "config": config}}
    deployed.up("users", {"servers": servers}, token=token)
    asking = client("small", "users")
    wait_for(lambda: asking.get("/predict").status_code == 200, "the route is there")
    wait_for(lambda: files(asking)["uid"] == uid, "the new pod answers")
    found = files(asking)
    assert found["secret"] == token
    assert found["writable"] == {"/app": True, "/tmp": True}
    assert {"own.txt", "config.yaml"} <= set(found["app"])
