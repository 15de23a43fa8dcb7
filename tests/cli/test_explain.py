"""`trussform explain`: the picture of a server, and its formats."""

import json
import re
from xml.etree import ElementTree

import pytest
from support.workspace import ROOT, Workspace
from trussform.cli.app import app
from typer.testing import CliRunner

PRODUCTION = str(ROOT / "stacks/Pulumi.production.yaml")


def explain(*words: str) -> str:
    result = CliRunner().invoke(app, ["explain", *words], env={"COLUMNS": "120"})
    assert result.exit_code == 0, result.stderr
    return result.stdout


def shown(workspace: Workspace, config: object = None, **stage: object) -> str:
    workspace.write_config(config)  # pyright: ignore[reportArgumentType]
    return explain("--stack", str(workspace.write_stack(stage)))


def test_the_picture_has_every_part_of_a_server() -> None:
    text = explain("--stack", PRODUCTION, str(ROOT / "examples/servers/vllm-llama-3.1-8b"))
    picture = text.partition("┏")[0]
    for part in (
        *("llama in production", "vllm/vllm-openai:latest", "/secrets/hf_access_token"),
        *("API keys: web, batch", "https://llama.models.example.com", "3 pods"),
        *("/environments/production/predict", "nvidia.com/gpu: 1"),
    ):
        assert part in picture, part


@pytest.mark.parametrize(
    ("stage", "part"),
    [
        ({"auth": "none"}, "everyone, without auth"),
        ({"route": {"kind": "none"}}, "inside the cluster"),
        ({"replicas": "autoscaled"}, "pods, autoscaled"),
        ({"replicas": 1}, "1 pod "),
        ({"autoscaling": {"max_replica": 4}}, "0 to 4 pods"),
    ],
)
def test_the_picture_shows_the_stage(
    workspace: Workspace, stage: dict[str, object], part: str
) -> None:
    assert part in shown(workspace, **stage).partition("┏")[0]


def test_weights_are_in_the_picture(workspace: Workspace) -> None:
    weight = {"source": "hf://o/m@main", "mount_location": "/models/a"}
    picture = shown(workspace, {"weights": [weight]}).partition("┏")[0]
    assert "hf://o/m@main" in picture
    assert "a new claim of 100Gi" in picture
    assert "weights download" in picture


def test_the_timeline_follows_the_rollout(workspace: Workspace) -> None:
    """A server without a spare GPU stops first, and has downtime."""

    def steps(**stage: object) -> list[str]:
        text = shown(workspace, {"resources": {"accelerator": "L4"}}, **stage)
        return re.findall(r"^│ (old pod stops|node starts|downtime)", text, re.M)

    assert steps() == ["old pod stops", "node starts", "downtime"]
    assert steps(spare_gpus=1) == ["node starts", "old pod stops"]


def test_json_has_the_decisions_the_steps_and_the_objects() -> None:
    data = json.loads(explain("--stack", PRODUCTION, "--format", "json"))
    assert data.keys() == {"llama", "embeddings"}
    llama = data["llama"]
    reasons = {one["name"]: one["reason"] for one in llama["decisions"]}
    assert {"image", "gpu", "auth", "try it"} <= reasons.keys()
    assert all(reasons.values())
    assert {"kind": "Deployment", "name": "llama"} in llama["objects"]
    assert {"step": "server starts", "seconds": 1800} in llama["update"]


def test_a_drawing_has_all_servers_and_loads_nothing() -> None:
    svg = explain("--stack", PRODUCTION, "--format", "svg")
    tree = ElementTree.fromstring(svg)
    text = "".join(tree.itertext()).replace("\xa0", " ")
    assert "llama in production" in text
    assert "embeddings in production" in text
    assert "@font-face" not in svg
    assert re.findall(r"(?:src|href)=|url\((?!#)", svg) == []


def test_a_page_has_the_picture_and_the_decisions() -> None:
    page = explain("--stack", PRODUCTION, "--format", "html")
    assert page.lstrip().startswith("<!DOCTYPE html>")
    assert "llama in production" in page
    assert "look the tag up" in page or "looks the tag up" in page
    assert re.findall(r"(?:src|href)=|url\(", page) == []
