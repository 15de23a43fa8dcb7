"""Several stacks on one cluster, and moved tags."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from pulumi.automation import CommandError, OpType
from support.cluster import cluster
from support.deployed import ByPulumi, kubectl, pods
from support.servers import push, small
from trussform.cli.app import app
from typer.testing import CliRunner

MakeClient = Callable[..., httpx.Client]


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


def test_an_autoscaler_keeps_its_number_of_replicas(engine: ByPulumi) -> None:
    deployment = ("deployment/scaled", "--namespace", "models-scaled")
    number = ("--output", r"jsonpath={.spec.replicas}{'\n'}")

    def up(replicas: int | str, text: str) -> None:
        server = small(environment_variables={"TEXT": text})
        engine.up("scaled", {"replicas": replicas, "servers": {"scaled": server}})

    def seen(replicas: int | str, text: str) -> set[str]:
        """Deploys, and returns each number of replicas that the cluster had meanwhile."""
        watch = ["kubectl", "get", *deployment, *number, "--watch"]
        with subprocess.Popen(watch, stdout=subprocess.PIPE, text=True) as watching:
            assert watching.stdout is not None
            first = watching.stdout.readline()
            up(replicas, text)
            watching.terminate()
            return {first.strip(), *watching.stdout.read().split()}

    up(3, "a")
    # Pulumi is the one owner of the field until an autoscaler writes to it.
    assert seen("autoscaled", "b") == {"3"}
    kubectl("scale", *deployment, "--replicas", "2")
    assert set(engine.stack("scaled").preview().change_summary) == {"same"}
    assert seen("autoscaled", "c") == {"2"}
    engine.stack("scaled").refresh()
    assert seen("autoscaled", "d") == {"2"}
    engine.destroy("scaled")


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
