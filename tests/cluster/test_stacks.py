"""Several stacks and servers on one cluster, moved tags, slow starts and missing GPUs."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from pulumi.automation import CommandError, OpType
from support.cluster import cluster
from support.deployed import ByPulumi, Deployed, kubectl, pods
from support.servers import push, small
from trussform.cli.app import app
from typer.testing import CliRunner

MakeClient = Callable[..., httpx.Client]


NOWHERE = {
    "servers": {"big": small(resources={"accelerator": "A100"})},
    "request_timeout": 1,
    "deadlines": {"pull": 0, "startup": 1},
}


@pytest.fixture(scope="module", autouse=True)
def nowhere(deployed: Deployed) -> Iterator[Future[None]]:
    """An up that mostly waits, while the other tests of this file run."""
    with ThreadPoolExecutor() as pool:
        yield pool.submit(deployed.up, "nowhere", NOWHERE)


def test_two_environments_of_one_config_and_two_servers_of_one_stack_side_by_side(
    dev: str, production: str, client: MakeClient
) -> None:
    servers = (("echo", dev), ("echo", production), ("second", production))
    answers = [client(*server).get("/predict").json()["pod"] for server in servers]
    assert len(set(answers)) == 3


def test_a_moved_tag_shows_in_the_preview_and_is_rolled_out(
    engine: ByPulumi, tmp_path: Path
) -> None:
    def running() -> str:
        ((status,),) = [
            pod["status"]["containerStatuses"] for pod in pods("models-follow", "moving")
        ]
        return status["imageID"].partition("@")[2]

    tag = f"{cluster().registry}/moving:1"
    push(tag, "old", tmp_path)
    servers = {"servers": {"moving": small(base_image={"image": tag})}}
    engine.up("follow", servers)
    before = running()
    stack = engine.stack("follow")
    assert set(stack.preview().change_summary) == {"same"}
    push(tag, "new", tmp_path)
    assert stack.preview().change_summary[OpType.UPDATE] == 1
    stack.up()
    assert before != running()
    assert stack.outputs()["moving"].value["image"].endswith(running())


def test_a_locked_tag_moves_by_the_lock_alone(engine: ByPulumi, tmp_path: Path) -> None:
    tag = f"{cluster().registry}/locked:1"
    push(tag, "old", tmp_path)
    changes = {"tags": "locked", "servers": {"locked": small(base_image={"image": tag})}}
    engine.project.write("locked", changes)
    file, stack = engine.project.file("locked"), engine.stack("locked")
    with pytest.raises(CommandError, match="its lock file has no digest"):
        stack.preview()
    assert CliRunner().invoke(app, ["lock", "--stack", str(file)]).exit_code == 0
    stack.up()
    push(tag, "new", tmp_path)
    assert set(stack.preview().change_summary) == {"same"}
    assert CliRunner().invoke(app, ["lock", "--stack", str(file)]).exit_code == 0
    assert stack.preview().change_summary[OpType.UPDATE] == 1


def test_a_server_that_another_stack_has_made_is_not_taken_over(engine: ByPulumi) -> None:
    def generation() -> str:
        fields = "jsonpath={.metadata.uid}/{.metadata.generation}"
        return kubectl("get", "deployment/mine", "-n", "models-owner", "-o", fields)

    servers = {"servers": {"mine": small()}}
    engine.up("owner", servers)
    before = generation()
    for create in (True, False):
        there = {"namespace": "models-owner", "create_namespace": create}
        with pytest.raises(CommandError, match=r"conflicts? with"):
            engine.up("taker", {**servers, **there, "environment": "owner"})
        engine.destroy("taker")
    assert generation() == before
    assert len(pods("models-owner", "mine")) == 1
    engine.destroy("owner")


def test_a_namespace_that_was_there_before_stays(engine: ByPulumi) -> None:
    kubectl("create", "namespace", "models-there")
    try:
        engine.up("there", {"servers": {"small": small()}})
        engine.destroy("there")
        phase = ("get", "namespace", "models-there", "-o", "jsonpath={.status.phase}")
        assert kubectl(*phase) == "Active"
        assert kubectl("get", "deployments", "-n", "models-there", "-o", "name") == ""
    finally:
        kubectl("delete", "namespace", "models-there", "--ignore-not-found")


@pytest.mark.parametrize("product", ["NVIDIA-H100-PCIe", "NVIDIA-H100-NVL"])
def test_an_h100_of_any_product_will_do(deployed: Deployed, product: str) -> None:
    node = kubectl("get", "nodes", "-o", "name").strip()
    label = "nvidia.com/gpu.product"
    kubectl("label", node, f"{label}={product}", "--overwrite")
    try:
        deployed.up("h100", {"servers": {"big": small(resources={"accelerator": "H100"})}})
        (pod,) = pods("models-h100", "big")
        assert pod["status"]["phase"] == "Running"
    finally:
        kubectl("label", node, f"{label}=NVIDIA-L4", "--overwrite")
        deployed.destroy("h100")


def test_a_gpu_that_no_node_has_ends_the_up_and_the_pod_says_why(nowhere: Future[None]) -> None:
    with pytest.raises((CommandError, AssertionError), match=r"[Pp]rogress ?[Dd]eadline"):
        nowhere.result()
    (pod,) = pods("models-nowhere", "big")
    (scheduled,) = pod["status"]["conditions"]
    assert pod["status"]["phase"] == "Pending"
    assert "didn't match Pod's node affinity/selector" in scheduled["message"]
