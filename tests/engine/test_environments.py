"""Stages and secrets that come from an environment of Pulumi ESC, with a stand-in for its service.

The engine reads environments, merges them into the stack file, and gives the program the result.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi.automation import CommandError, OpType
from support.programs import Engine
from support.pulumi_service import Service, pulumi_service
from support.workspace import ROOT, merged
from trussform.cli.app import app
from typer.testing import CliRunner

EXAMPLE = ROOT / "examples/esc"
CANARY = "sesame-of-the-environment"
RENDERED = {"render_to": "out", "secrets": {"existing": "model-secrets"}}


@pytest.fixture
def service() -> Iterator[Service]:
    with pulumi_service() as running:
        running.environments["models/production"] = environment({})
        yield running


def environment(stage: dict[str, Any], **more: Any) -> Any:
    """Returns the environment of the example, with a stage that renders to a folder."""
    made: Any = yaml.safe_load((EXAMPLE / "environment.yaml").read_text())
    changes = {"trussform:stage": merged(RENDERED, stage), **more}
    return merged(made, {"values": {"pulumiConfig": changes}})


@pytest.fixture
def stack_file(project: Path) -> Path:
    """The stack file of the example."""
    file = project / "stacks/Pulumi.production.yaml"
    file.write_text((EXAMPLE / "Pulumi.production.yaml").read_text())
    return file


def test_a_stage_of_an_environment_with_a_change_of_the_stack_file(
    engine: Engine, project: Path, stack_file: Path, service: Service
) -> None:
    stack = replace(engine, service=service.url).stack("production", project)
    outputs = stack.up().outputs
    url = "https://llama.models.example.com/environments/production/predict"
    assert outputs["llama"].value["predict_url"] == url
    (file,) = (project / "out").rglob("*deployment-models-llama.yaml")
    assert yaml.safe_load(file.read_text())["spec"]["replicas"] == 2
    assert set(stack.preview().change_summary) == {"same"}

    service.environments["models/production"] = environment({"termination": "unknown"})
    with pytest.raises(CommandError, match=r"Pulumi.production.yaml.*: termination: unknown field"):
        stack.preview()
    service.environments["models/production"] = environment({"request_timeout": 7})
    assert stack.preview().change_summary[OpType.UPDATE] == 2
    patch = {"environment_variables": {"SIZE": "7"}}
    servers = {"servers": {"llama": {"config": patch}}}
    service.environments["models/production"] = environment(servers)
    stack.up()
    assert "name: SIZE" in file.read_text()


def test_a_secret_of_an_environment_is_not_in_plain_and_not_in_the_stage(
    engine: Engine, project: Path, stack_file: Path, service: Service
) -> None:
    stack = replace(engine, service=service.url).stack("production", project)
    plain = {"trussform:secrets": {"hf_access_token": CANARY}}
    service.environments["models/production"] = environment({}, **plain)
    warning = "trussform:secrets.hf_access_token: the secret is in plain text; write it below"
    assert warning in stack.preview().stdout

    service.environments["models/production"] = environment({})
    assert "in plain text" not in stack.preview().stdout

    hidden = {"environment_variables": {"TOKEN": {"fn::secret": CANARY}}}
    servers = {"servers": {"llama": {"config": hidden}}}
    service.environments["models/production"] = environment(servers)
    with pytest.raises(CommandError, match="an environment or the project gives the stage a sec"):
        stack.up()
    assert CANARY not in str(service.states)


def test_the_command_line_says_that_only_pulumi_reads_an_environment(
    stack_file: Path, engine: Engine
) -> None:
    stack_file.write_text("environment: [models/production]\n")
    shown = CliRunner().invoke(app, ["check", "--stack", str(stack_file)])
    assert shown.exit_code == 1
    complaint = "the stage is in an environment of the stack, which only Pulumi reads"
    assert f":1:1: {complaint}; run `pulumi preview`, which checks it" in shown.output.replace(
        "\n", " "
    )
