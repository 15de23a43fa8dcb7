"""`trussform init`: from a folder with configs to a project that passes a check."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.kubectl import write_kubectl
from support.workspace import CONFIG, ROOT, merged
from trussform import planning, stack_file
from trussform.cli import init
from trussform.cli.app import app
from trussform.cli.suggestions import NO_SUGGESTIONS, Suggestions, read_cluster
from typer.testing import CliRunner, Result

TEMPLATES = ROOT / "components/trussform/cli/templates"
FILES = (
    *("Pulumi.yaml", "__main__.py", "requirements.txt", ".gitignore"),
    *(".github/workflows/models.yml", "stacks/Pulumi.dev.yaml"),
)
CLASSES = "get gatewayclasses.gateway.networking.k8s.io"
GATEWAYS = "get gateways.gateway.networking.k8s.io --all-namespaces"
VERSION = {"serverVersion": {"major": "1", "minor": "35"}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one config, and a PATH without a cluster."""
    (tmp_path / "bin").mkdir()
    write_kubectl(tmp_path / "bin", {"version": "error: connection refused"})
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    folder = tmp_path / "My models"
    write(folder / "llama")
    monkeypatch.chdir(folder)
    return folder


def write(folder: Path, **changes: Any) -> None:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(merged(CONFIG, changes)))


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def stage(folder: Path, name: str = "dev") -> Any:
    made = yaml.safe_load((folder / f"stacks/Pulumi.{name}.yaml").read_text())
    return made["config"]["trussform:stage"]


def test_the_project_of_one_command_passes_a_check(folder: Path) -> None:
    result = run("init")
    assert result.exit_code == 0, result.stderr
    for name in FILES:
        assert (folder / name).is_file(), name
    assert "name: my-models\n" in (folder / "Pulumi.yaml").read_text()
    assert run("check", "--stack", "dev").exit_code == 0
    assert stage(folder) == {
        "environment": "dev",
        "namespace": "models",
        "route": {"kind": "none"},
        "servers": {"llama": {"path": "llama"}},
    }


def test_every_answer_arrives_in_the_stage(folder: Path) -> None:
    write(folder / "nested/embed", requirements=["six"], resources={"accelerator": "L4"})
    result = run(
        *("init", "--environment", "prod", "--namespace", "ml", "--gateway", "infra/public"),
        *("--domain", "example.com", "--auth", "api-key", "--registry", "registry.example.com/m"),
        *("--dialect", "gke"),
    )
    assert result.exit_code == 0, result.stderr
    assert stage(folder, "prod") == {
        "environment": "prod",
        "namespace": "ml",
        "domain": "example.com",
        "registry": "registry.example.com/m",
        "gpu": {"dialect": "gke"},
        "auth": {"kind": "api-key", "keys": ["client"]},
        "route": {
            "kind": "gateway",
            "name": "public",
            "namespace": "infra",
            "controller": "envoy-gateway",
        },
        "servers": {"llama": {"path": "llama"}, "embed": {"path": "nested/embed"}},
    }
    assert "  pulumi config set --secret --path 'trussform:secrets.client'\n" in result.stdout
    assert "[prod]" in (folder / ".github/workflows/models.yml").read_text()


def test_a_second_environment_keeps_the_project(folder: Path) -> None:
    assert run("init").exit_code == 0
    program = folder / "__main__.py"
    program.write_text("# mine\n")
    result = run("init", "--environment", "prod")
    assert result.exit_code == 0
    assert program.read_text() == "# mine\n"
    assert "kept __main__.py, which exists\n" in result.stdout
    assert "models.yml, which exists; add prod to each `matrix.stack`\n" in result.stdout
    assert stage(folder, "prod")["namespace"] == "models-prod"


def test_a_stack_that_has_a_file_is_not_overwritten(folder: Path) -> None:
    assert run("init").exit_code == 0
    file = folder / "stacks/Pulumi.dev.yaml"
    file.write_text("# mine\n")
    (folder / ".gitignore").unlink()
    result = run("init")
    assert result.exit_code == 1
    assert result.stderr.startswith("stacks/Pulumi.dev.yaml: the stack has a file, and `init`")
    assert file.read_text() == "# mine\n"
    assert not (folder / ".gitignore").exists()


def test_missing_answers_are_named_together(folder: Path) -> None:
    write(folder / "built", requirements=["six"])
    result = run("init", "--gateway", "infra/public")
    assert result.exit_code == 1
    assert [line.rpartition("; ")[2] for line in result.stderr.splitlines()] == [
        "add `--domain`",
        "add `--registry`",
    ]
    assert not (folder / "Pulumi.yaml").exists()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--environment", "a b"), "environment: "),
        (("--gateway", "x/y", "--domain", "no domain"), "domain: `no domain` is not a domain"),
        (("--dialect", "azure"), "gpu.dialect: "),
    ],
)
def test_a_wrong_answer_is_named_and_nothing_is_written(
    folder: Path, words: tuple[str, ...], complaint: str
) -> None:
    write(folder / "gpu", resources={"accelerator": "L4"})
    result = run("init", *words)
    assert result.exit_code == 1
    assert complaint in result.stderr
    assert not (folder / "Pulumi.yaml").exists()


def test_a_folder_without_servers_says_so(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("model_name: a Python model\n")
    result = run("init", str(tmp_path))
    assert result.exit_code == 1
    assert f"{tmp_path}: no `config.yaml` below this folder has a `docker_server`" in result.stderr


def test_configs_of_installed_packages_are_not_servers(folder: Path) -> None:
    write(folder / ".venv/lib/example")
    write(folder / "node_modules/example")
    assert [server.name for server in init.find_servers(folder)] == ["llama"]


def test_two_folders_of_one_name_are_two_servers(folder: Path) -> None:
    write(folder / "old/llama")
    assert [server.name for server in init.find_servers(folder)] == ["llama", "old-llama"]


def test_the_answers_of_a_person_go_first(folder: Path) -> None:
    asked: list[str] = []

    def ask(question: str, suggested: str) -> str:
        asked.append(question.split()[0])
        return suggested or "example.com"

    servers = init.find_servers(folder)
    suggestions = Suggestions({"infra/public": {"controller": "envoy-gateway"}}, "gke")
    given = init.Settings(environment="prod")
    settings = init.complete(folder, given, servers, suggestions, ask)
    assert asked == ["Namespace", "Gateway", "Domain", "Auth"]
    assert settings == init.Settings("prod", "models", "infra/public", "example.com", "api-key")


@pytest.mark.parametrize(
    ("node", "dialect"),
    [
        ({"labels": {"nvidia.com/gpu.product": "NVIDIA-L4"}}, "gpu-feature-discovery"),
        ({"labels": {"cloud.google.com/gke-accelerator": "nvidia-l4"}}, "gke"),
        ({"provider": "aws:///eu-west-1a/i-1"}, "eks"),
        ({"provider": "azure:///subscriptions/1"}, "aks"),
        ({}, None),
    ],
)
def test_a_cluster_suggests_its_gateways_and_labels(
    folder: Path, tmp_path: Path, node: dict[str, Any], dialect: str | None
) -> None:
    gateway = {
        "metadata": {"name": "public", "namespace": "infra"},
        "spec": {
            "gatewayClassName": "eg",
            "listeners": [{"name": "web", "protocol": "HTTP", "port": 8080}],
        },
    }
    kind = {
        "metadata": {"name": "eg"},
        "spec": {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"},
    }
    made = {
        "metadata": {"name": "one", "labels": node.get("labels", {})},
        "spec": {"providerID": node.get("provider", "kind://docker/one")},
    }
    answers = {
        "version": VERSION,
        CLASSES: {"items": [kind]},
        GATEWAYS: {"items": [gateway]},
        "get nodes": {"items": [made]},
    }
    write_kubectl(tmp_path / "bin", answers)
    route = {"controller": "envoy-gateway", "scheme": "http", "port": 8080}
    assert read_cluster(None) == Suggestions({"infra/public": route}, dialect)


def test_a_cluster_that_does_not_answer_suggests_nothing(folder: Path) -> None:
    assert read_cluster(None) == NO_SUGGESTIONS


def test_the_templates_are_the_examples() -> None:
    assert (TEMPLATES / "__main__.py").read_text() == (ROOT / "__main__.py").read_text()
    workflow = (TEMPLATES / "models.yml").read_text()
    example = (ROOT / "examples/github/deploy.yml").read_text()
    assert workflow.replace("STACKS", "dev, production") == example
    project = (TEMPLATES / "Pulumi.yaml").read_text()
    assert project.replace("name: NAME", "name: trussform") == (ROOT / "Pulumi.yaml").read_text()


def test_the_stage_of_every_example_is_valid(folder: Path) -> None:
    """Only the values of the secrets are missing."""
    examples = ROOT / "examples/servers"
    servers = init.find_servers(examples)
    settings = init.Settings(
        "dev", "models", "infra/public", "example.com", "none", "registry.example.com/m", "gke"
    )
    made = init.project(folder, settings, servers, NO_SUGGESTIONS)
    for file in init.write(made):
        assert file.is_relative_to(folder)
    for server in servers:
        (folder / server.path).symlink_to(examples / server.path)
    problems = planning.plan_stack(stack_file.read_stack(made.stack)).problems
    assert {problem.level for problem in problems} <= {"warning", "blocks-deploy"}
    blocking = [problem for problem in problems if problem.level == "blocks-deploy"]
    assert [problem.field for problem in blocking] == ["secrets.hf_access_token"]
