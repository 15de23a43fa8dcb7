"""Stack `local` with the real engine: up, preview, update, destroy; no cluster, no Docker."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import trussform
import yaml
from pulumi import automation
from pulumi.automation import CommandError, OpType
from support.programs import Engine
from support.workspace import ROOT
from trussform.cli.app import app
from trussform.deploy.provider import schema
from typer.testing import CliRunner


def documents(files: Iterable[Path]) -> dict[tuple[str, str], Any]:
    """Every object of some files by kind and name."""
    return {
        (document["kind"], document["metadata"]["name"]): document
        for file in files
        for document in yaml.safe_load_all(file.read_text())
    }


def test_the_life_of_a_stack(engine: Engine, project: Path) -> None:
    stack = engine.stack("local", project)
    up = stack.up()
    assert (up.summary.resource_changes or {}).keys() == {"create"}
    assert up.outputs["llama"].value["predict_url"] == (
        "http://llama.models.localhost/environments/local/predict"
    )
    preview = stack.preview()
    assert preview.change_summary.keys() == {OpType.SAME}
    consequence = "rollout: the stage has no `spare_gpus`, so the old pod stops first"
    assert consequence in preview.stdout

    config = project / "examples/servers/vllm-llama-3.1-8b/config.yaml"
    config.write_text(config.read_text().replace("--max-model-len 1024", "--max-model-len 2048"))
    assert stack.preview().change_summary[OpType.UPDATE] == 1
    changed = stack.up()
    assert ("update", 1) in (changed.summary.resource_changes or {}).items()
    assert "~  kubernetes:apps/v1:Deployment llama-deployment updated" in changed.stdout
    assert not (project / ".trussform").joinpath("local/llama").exists()

    stack.destroy()
    assert list((project / "out/local").rglob("*.yaml")) == []


def test_render_and_up_make_the_same_objects(engine: Engine, project: Path, tmp_path: Path) -> None:
    stack_file = project / "stacks/Pulumi.local.yaml"
    override = "config: {environment_variables: {A: yes, B: 12:30:45, C: 1e3, D: 1.0, E: 0o17}}"
    path = "path: examples/servers/infinity-embeddings\n"
    text = stack_file.read_text()
    assert path in text
    stack_file.write_text(text.replace(path, f"{path}        {override}\n"))
    engine.stack("local", project).up()
    result = CliRunner().invoke(
        app, ["render", "--stack", str(stack_file), "--out", str(tmp_path / "rendered")]
    )
    assert result.exit_code == 0
    up = documents((project / "out/local").rglob("*.yaml"))
    rendered = documents((tmp_path / "rendered").rglob("*.yaml"))
    assert up
    for made in up.values():  # The objects that nobody but Pulumi has made say so.
        assert made["metadata"]["annotations"].pop("pulumi.com/patchFieldManager")
        if not made["metadata"]["annotations"]:
            del made["metadata"]["annotations"]
    assert rendered == up


def test_mistakes_stop_an_up_before_anything_is_registered(engine: Engine, project: Path) -> None:
    for name in ("vllm-llama-3.1-8b", "infinity-embeddings"):
        config = project / "examples/servers" / name / "config.yaml"
        config.write_text(config.read_text().replace("server_port", "server_prot"))
    stack = engine.stack("local", project)
    with pytest.raises(CommandError) as caught:
        stack.up()
    output = str(caught.value)
    for name in ("vllm-llama-3.1-8b", "infinity-embeddings"):
        lines = (project / "examples/servers" / name / "config.yaml").read_text().splitlines()
        (line,) = [i for i, text in enumerate(lines, 1) if "server_prot" in text]
        place = f"examples/servers/{name}/config.yaml:{line}:3"
        assert f"{place}: docker_server.server_prot: unknown field; did you mean" in output
    assert "Traceback" not in output
    types = [resource["type"] for resource in resources(stack)]
    assert types in ([], ["pulumi:pulumi:Stack"])


def test_a_stage_with_a_mistake_names_the_line_of_the_stack_file(
    engine: Engine, project: Path
) -> None:
    file = project / "stacks/Pulumi.local.yaml"
    file.write_text(file.read_text().replace("auth: none", "auht: none"))
    with pytest.raises(CommandError, match=r"stacks/Pulumi.local.yaml:13:5: auht: unknown field"):
        engine.stack("local", project).preview()


def resources(stack: automation.Stack) -> list[Any]:
    deployment: Any = stack.export_stack().deployment
    return deployment["resources"] if deployment and "resources" in deployment else []


def test_other_languages_get_a_schema(engine: Engine) -> None:
    shutil.copytree(ROOT / "components", engine.folder / "components")
    shutil.copy(ROOT / "requirements.lock", engine.folder)
    run = subprocess.run(
        ["pulumi", "package", "get-schema", str(engine.folder / "components")],
        capture_output=True,
        text=True,
        env={**os.environ, **engine.environment},
        check=False,
    )
    assert run.returncode == 0, run.stderr
    printed = json.loads(run.stdout[run.stdout.index("{") :])
    made = schema()
    assert (printed["version"], printed["name"]) == (trussform.__version__, "trussform")
    server = printed["resources"]["trussform:index:DockerServer"]
    inputs = made["resources"]["trussform:index:DockerServer"]["inputProperties"]
    assert server["inputProperties"].keys() == inputs.keys()
    assert printed["types"].keys() == made["types"].keys()


@pytest.mark.parametrize(
    ("key", "complaint"),
    [
        ("stage", "Pulumi.local.yaml:3:20: expected fields and values, found text"),
        ("secrets", "Pulumi.local.yaml: trussform:secrets: this is not a mapping"),
    ],
)
def test_config_that_is_no_object_is_a_plain_complaint(
    engine: Engine, project: Path, key: str, complaint: str
) -> None:
    stack = engine.stack("local", project)
    stack.set_config(f"trussform:{key}", automation.ConfigValue("canary-word"))
    with pytest.raises(CommandError) as caught:
        stack.preview()
    assert complaint in str(caught.value)
    assert "canary-word" not in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_a_secret_in_the_stage_never_gets_to_the_state(engine: Engine, project: Path) -> None:
    stack = engine.stack("local", project)
    secret = automation.ConfigValue("canary-word", secret=True)
    key = "trussform:stage.servers.llama.config.environment_variables.TOKEN"
    stack.set_config(key, secret, path=True)
    with pytest.raises(CommandError, match="the stage must not contain a secret"):
        stack.up()
    assert "canary-word" not in str(resources(stack))


def test_the_command_line_takes_the_stack_that_pulumi_has_selected(
    engine: Engine, project: Path
) -> None:
    engine.stack("local", project)
    command = [sys.executable, "-m", "trussform.cli", "explain"]
    environment = {**os.environ, **engine.environment}
    shown = subprocess.run(
        command, cwd=project, env=environment, check=True, capture_output=True, text=True
    )
    assert "llama in local" in shown.stdout
