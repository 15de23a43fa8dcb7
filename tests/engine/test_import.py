"""The wheel in an environment of its own, used by a program of somebody else."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.programs import Engine
from support.workspace import ROOT

EXAMPLE = "programs/python"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = out.glob("*.whl")
    return wheel


def test_the_wheel_holds_the_library_typed_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    folders = {name.partition("/")[0] for name in names}
    assert {folder for folder in folders if not folder.endswith(".dist-info")} == {"trussform"}
    assert "trussform/py.typed" in names


def test_a_second_and_a_third_program_use_the_wheel(engine: Engine, wheel: Path) -> None:
    shutil.copytree(ROOT / "examples", engine.folder / "examples")
    program = engine.folder / "examples" / EXAMPLE
    python = fresh_environment(program / ".venv", wheel)
    origin = subprocess.run(
        [python, "-c", "import trussform; print(trussform.__file__)"],
        capture_output=True, text=True, check=True, cwd=program,
    )  # fmt: skip
    assert origin.stdout.startswith(str(program / ".venv"))

    render_to_a_folder(program / "__main__.py")
    engine.stack("prod", program / "platform").up()
    models = engine.stack(
        "prod",
        program,
        **{"models:platform": "organization/platform/prod", "models:hfAccessToken": "unused"},
    )
    url = models.up().outputs["predictUrl"].value
    assert url == "https://llama.models.example.com/environments/prod/predict"

    state: Any = models.export_stack().deployment
    children = [r for r in state["resources"] if r["type"].startswith("kubernetes:")]
    assert len(children) == 3
    assert all("::cluster::" in child["provider"] for child in children)
    namespaces = {child["inputs"]["metadata"]["namespace"] for child in children}
    assert namespaces == {"models"}
    (route,) = [child for child in children if child["type"].endswith("HTTPRoute")]
    assert route["inputs"]["spec"]["parentRefs"] == [{"name": "public", "namespace": "gateways"}]

    dashboard = engine.stack(
        "prod", program / "dashboard", **{"dashboard:models": "organization/models/prod"}
    )
    assert dashboard.up().outputs["llama_url"].value == url


def test_the_wheel_has_the_plugin_for_other_languages(engine: Engine, wheel: Path) -> None:
    """Pulumi finds `pulumi-resource-trussform` on PATH, as it does with its own providers."""
    python = fresh_environment(engine.folder / "installed", wheel)
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **engine.environment, "PATH": path}
    folder = engine.folder / "program"
    shutil.copytree(ROOT / "examples/servers/vllm-llama-3.1-8b", folder / "server")
    stage = {
        "environment": "dev",
        "renderTo": "out",
        "namespace": "models",
        "domain": "models.example.com",
        "registry": "registry.example.com/models",
        "route": {"kind": "gateway", "name": "public"},
        "auth": {"kind": "none"},
        "secrets": {"existing": "model-secrets"},
    }
    project = {
        "name": "wheel",
        "runtime": "yaml",
        "resources": {
            "cluster": {
                "type": "pulumi:providers:kubernetes",
                "properties": {"renderYamlToDirectory": "out"},
            },
            "llama": {
                "type": "trussform:index:DockerServer",
                "properties": {"configPath": "server", "stage": stage},
                "options": {"providers": ["${cluster}"]},
            },
        },
        "outputs": {"url": "${llama.predictUrl}"},
    }
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))
    outputs: list[str] = []
    for words in (["stack", "init", "dev"], ["up", "--yes", "--skip-preview"], ["stack", "output"]):
        done = subprocess.run(
            ["pulumi", "--non-interactive", *words],
            cwd=folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        outputs.append(done.stdout)
    assert "https://llama.models.example.com/environments/dev/predict" in outputs[-1]


def render_to_a_folder(program: Path) -> None:
    """Changes the example so that it writes YAML, without a cluster and without a registry."""
    text = program.read_text()
    for before, after in (
        ('context=settings.get("context")', 'render_yaml_to_directory="out"'),
        ('"route": {', '"render_to": "out", "secrets": {"existing": "mine"}, "route": {'),
    ):
        assert before in text
        text = text.replace(before, after)
    program.write_text(text)


def fresh_environment(folder: Path, wheel: Path) -> Path:
    """An environment with the wheel and the locked versions of what it needs."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    locked = str(ROOT / "requirements.lock")
    subprocess.run([*pip, "--require-hashes", "-r", locked], check=True)
    subprocess.run([*pip, "--no-deps", str(wheel)], check=True)
    return python
