"""`--stack` by name and by file, and `--version`."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import trussform
import yaml
from support.workspace import Workspace
from trussform.cli.app import app
from typer.testing import CliRunner, Result


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def project(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A project whose stack files are in `stacks`, with the test in its folder."""
    workspace.write_config()
    workspace.write_stack()
    write_project(workspace, stackConfigDir="stacks")
    monkeypatch.chdir(workspace.folder)
    return workspace


def write_project(workspace: Workspace, name: str = "Pulumi.yaml", **settings: object) -> None:
    (workspace.folder / "Pulumi.yaml").unlink(missing_ok=True)
    text = yaml.safe_dump({"name": "trussform", "runtime": "python", **settings})
    (workspace.folder / name).write_text(text)


@pytest.mark.parametrize("command", ["check", "render", "explain"])
def test_a_stack_is_named_as_pulumi_names_it(project: Workspace, command: str) -> None:
    named = run(command, "--stack", "dev")
    assert named.exit_code == 0, named.output
    assert named.output == run(command, "--stack", "stacks/Pulumi.dev.yaml").output


def test_lock_writes_the_lock_file_of_a_named_stack(project: Workspace) -> None:
    image = f"registry.example.com/server@sha256:{'0' * 64}"
    project.write_config({"base_image": {"image": image}})
    project.write_stack({"tags": "locked"})
    result = run("lock", "--stack", "dev")
    assert (result.exit_code, (project.folder / "stacks/dev.lock.yaml").is_file()) == (0, True)


def test_the_project_is_found_above(project: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder / "server")
    assert run("check", "--stack", "dev").exit_code == 0


@pytest.mark.parametrize(
    ("name", "settings", "file"),
    [
        ("Pulumi.yaml", {}, "Pulumi.dev.yaml"),
        ("Pulumi.yaml", {"config": "stacks"}, "stacks/Pulumi.dev.yaml"),
        ("Pulumi.yaml", {"stackConfigDir": "a/b"}, "a/b/Pulumi.dev.yaml"),
        ("Pulumi.yaml", {"config": {"a:b": "c"}}, "Pulumi.dev.yaml"),
        ("Pulumi.yml", {"stackConfigDir": "stacks"}, "stacks/Pulumi.dev.yml"),
    ],
)
def test_the_stack_file_is_where_pulumi_has_it(
    project: Workspace, name: str, settings: dict[str, object], file: str
) -> None:
    write_project(project, name, **settings)
    target = project.folder / file
    target.parent.mkdir(parents=True, exist_ok=True)
    project.stack.rename(target)
    result = run("check", "--stack", "dev")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("given", ["Pulumi.dev.yaml", "./dev", "sub/dev", "dev.yml"])
def test_a_path_is_a_file_and_no_name(project: Workspace, given: str) -> None:
    file = project.folder / given
    file.parent.mkdir(exist_ok=True)
    project.stack.rename(file)
    write_project(project, stackConfigDir="nowhere")
    assert run("check", "--stack", given).exit_code == 0


def test_a_stack_without_a_file_names_those_that_have_one(project: Workspace) -> None:
    (project.folder / "stacks/Pulumi.production.yaml").write_text("{}")
    (project.folder / "stacks/production.lock.yaml").write_text("{}")
    result = run("check", "--stack", "prod")
    assert (result.exit_code, result.stdout) == (
        1,
        "--stack: the stack `prod` has no file `stacks/Pulumi.prod.yaml`; "
        "use one of stacks/Pulumi.dev.yaml, stacks/Pulumi.production.yaml\n",
    )
    project.stack.unlink()
    (project.folder / "stacks/Pulumi.production.yaml").unlink()
    assert "create it; `trussform schema stage`" in run("check", "--stack", "prod").stdout
    assert run("lock", "--stack", "prod").exit_code == 1


def test_a_name_outside_of_a_project_asks_for_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("check", "--stack", "dev")
    assert (result.exit_code, result.stdout) == (
        1,
        "--stack: this folder and the folders above have no Pulumi.yaml, so there is no stack "
        "`dev`; change to the project's folder, or write `--stack FILE`\n",
    )


def test_the_version_is_that_of_the_package() -> None:
    assert trussform.__version__ == version("trussform")
    assert run("--version").stdout == f"trussform {trussform.__version__}\n"


def test_a_check_reads_no_metadata_of_packages(project: Workspace) -> None:
    script = "\n".join(
        (
            "import sys",
            "from trussform.cli import start_lean",
            "start_lean()",
            "from trussform.cli.app import app",
            "before = set(sys.modules)",
            "app(['check', 'server'], standalone_mode=False)",
            "print('importlib.metadata' in set(sys.modules) - before)",
        )
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1:] == ["False"], done.stderr


def test_without_a_stack_the_selected_one_is_checked(
    project: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_HOME", str(project.folder / "home"))
    monkeypatch.delenv("PULUMI_STACK", raising=False)
    result = run("check")
    assert result.exit_code == 1
    assert "--stack: no stack is selected; run `pulumi stack select NAME`" in result.stdout
    monkeypatch.setenv("PULUMI_STACK", "organization/trussform/dev")
    assert run("explain").output == run("explain", "--stack", "dev").output
