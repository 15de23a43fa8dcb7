"""Several stacks and servers on one cluster, moved tags, slow starts and missing GPUs."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from programs import wait_for
from pulumi.automation import CommandError
from trussform.cli import app
from typer.testing import CliRunner

MakeClient = Callable[..., httpx.Client]
START = "python3 -m http.server 9000"


def small(**config: Any) -> dict[str, Any]:
    """A server that needs no build and no secret."""
    docker_server = {"start_command": START, **config.pop("docker_server", {})}
    return {
        "path": "servers/small",
        "config": {"secrets": None, "docker_server": docker_server, **config},
    }


def test_two_environments_of_one_config_side_by_side_one_of_them_by_ingress(
    dev: Any, deployed: Any, client: MakeClient, token: str
) -> None:
    changes = {
        "servers": {"echo": {"path": "servers/echo"}, "second": {"path": "servers/echo"}},
        "route": {"kind": "ingress", "controller": "traefik", "scheme": "http"},
    }
    deployed.write("production", changes)
    deployed.secret("production", "token", token)
    deployed.up("production", changes)
    production = client("echo", "production")
    # The gateway hears of each route by itself, and Pulumi does not wait for it.
    for asking, path in (
        (production, "/predict"),
        (production, "/sync"),
        (client("second", "production"), "/predict"),
    ):
        wait_for(
            lambda asking=asking, path=path: asking.get(path).status_code == 200,
            f"production answers {path}",
        )
    assert production.post("/predict").json()["path"] == "/v1/predict"
    for path, inside in (("/sync", "/"), ("/sync/", "/"), ("/sync/a/b?c=%20d", "/a/b?c=%20d")):
        assert production.get(path).json()["path"] == inside
    assert production.get("/other").status_code == 404
    pods = {
        client(server, environment).get("/predict").json()["pod"]
        for server, environment in (
            ("echo", "dev"),
            ("echo", "production"),
            ("second", "production"),
        )
    }
    assert len(pods) == 3


def push(tag: str, content: str, folder: Path) -> None:
    """Make the tag point at a new image."""
    lines = [f"FROM {os.environ['TRUSSFORM_TEST_BASE']}", f"RUN echo {content} > /content"]
    (folder / "Dockerfile").write_text("\n".join(lines) + "\n")
    variables = {**os.environ, "DOCKER_BUILDKIT": "0"}
    for command in (["build", "--quiet", "--tag", tag, str(folder)], ["push", "--quiet", tag]):
        subprocess.run(["docker", *command], check=True, capture_output=True, env=variables)


def test_a_moved_tag_shows_in_the_preview_and_is_rolled_out(deployed: Any, tmp_path: Path) -> None:
    tag = f"{os.environ['TRUSSFORM_TEST_REGISTRY']}/moving:1"
    push(tag, "old", tmp_path)
    servers = {"servers": {"moving": small(base_image={"image": tag})}}
    before = deployed.up("follow", servers).outputs["moving"].value["image"]
    assert set(deployed.stacks["follow"].preview().change_summary) == {"same"}
    push(tag, "new", tmp_path)
    assert deployed.stacks["follow"].preview().change_summary["update"] == 1
    after = deployed.up("follow", servers).outputs["moving"].value["image"]
    assert before != after


def test_a_locked_tag_moves_by_the_lock_alone(deployed: Any, tmp_path: Path) -> None:
    tag = f"{os.environ['TRUSSFORM_TEST_REGISTRY']}/locked:1"
    push(tag, "old", tmp_path)
    changes = {"tags": "locked", "servers": {"locked": small(base_image={"image": tag})}}
    stack = deployed.write("locked", changes)
    file = deployed.project / "stacks/Pulumi.locked.yaml"
    with pytest.raises(CommandError, match="its lock file has no digest"):
        stack.preview()
    assert CliRunner().invoke(app, ["lock", "--stack", str(file)]).exit_code == 0
    stack.up()
    push(tag, "new", tmp_path)
    assert set(stack.preview().change_summary) == {"same"}
    assert CliRunner().invoke(app, ["lock", "--stack", str(file)]).exit_code == 0
    assert stack.preview().change_summary["update"] == 1


def test_a_start_of_nine_tenths_of_its_budget_is_not_restarted(
    deployed: Any, kubectl: Callable[..., str]
) -> None:
    slow = small(docker_server={"start_command": f'sh -c "sleep 54; exec {START}"'})
    deployed.up("slow", {"servers": {"slow": slow}, "deadlines": {"startup": 60}})
    (pod,) = json.loads(kubectl("get", "pods", "-n", "models-slow", "-o", "json"))["items"]
    (status,) = pod["status"]["containerStatuses"]
    assert (status["ready"], status["restartCount"]) == (True, 0)


def test_a_gpu_that_no_node_has_ends_the_up_and_the_pod_says_why(
    deployed: Any, kubectl: Callable[..., str]
) -> None:
    changes = {
        "servers": {"big": small(resources={"accelerator": "H100"})},
        "request_timeout": 1,
        "deadlines": {"pull": 0, "startup": 1},
    }
    with pytest.raises(CommandError, match="ProgressDeadlineExceeded"):
        deployed.up("nogpu", changes)
    (pod,) = json.loads(kubectl("get", "pods", "-n", "models-nogpu", "-o", "json"))["items"]
    (scheduled,) = pod["status"]["conditions"]
    assert pod["status"]["phase"] == "Pending"
    assert "didn't match Pod's node affinity/selector" in scheduled["message"]


@pytest.mark.parametrize("product", ["NVIDIA-H100-PCIe", "NVIDIA-H100-NVL"])
def test_an_h100_of_any_product_will_do(
    deployed: Any, kubectl: Callable[..., str], product: str
) -> None:
    node = kubectl("get", "nodes", "-o", "name").strip()
    label = "nvidia.com/gpu.product"
    kubectl("label", node, f"{label}={product}", "--overwrite")
    try:
        deployed.up("h100", {"servers": {"big": small(resources={"accelerator": "H100"})}})
    finally:
        kubectl("label", node, f"{label}=NVIDIA-L4", "--overwrite")
        deployed.stacks["h100"].destroy()
