"""The commands as a user runs them."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from support.workspace import ROOT, Workspace, plans_of
from trussform import stack_file
from trussform.cli.app import app
from trussform.cli.explain import rows
from typer.testing import CliRunner, Result

LOCAL = str(ROOT / "stacks/Pulumi.local.yaml")
PROBLEM_KEYS = {"path", "line", "column", "field", "level", "message", "fix"}


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_check_passes_what_fits() -> None:
    result = run(
        "check",
        ROOT / "examples/servers/vllm-llama-3.1-8b",
        ROOT / "examples/servers/infinity-embeddings",
    )
    assert (result.exit_code, result.stderr) == (0, "0 errors, 2 warnings\n")
    assert "the tag `latest` can point to another image" in result.stdout


def test_check_prints_every_problem_at_its_place_and_exits_1(workspace: Workspace) -> None:
    path = workspace.write_config({"docker_server": {"server_port": 0}, "oops": 1})
    result = run("check", path.parent)
    assert result.exit_code == 1
    assert f"{path}:7:16: docker_server.server_port: input should be greater" in result.stdout
    assert f"{path}:9:1: oops: unknown field; " in result.stdout


def test_check_json_is_a_list_of_problems(workspace: Workspace) -> None:
    path = workspace.write_config({"oops": 1})
    problems = json.loads(run("check", path, "--format", "json").stdout)
    assert [set(problem) for problem in problems] == [PROBLEM_KEYS]
    assert problems[0]["line"] == 9
    fixed = workspace.write_config({"live_reload": True})
    result = run("check", "--format", "json", fixed)
    assert (result.exit_code, json.loads(result.stdout)[0]["level"]) == (0, "warning")


def test_check_with_a_stack_checks_the_stage_and_its_servers(workspace: Workspace) -> None:
    workspace.write_config()
    assert run("check", "--stack", workspace.write_stack()).exit_code == 0
    result = run("check", "--stack", workspace.write_stack({"replicas": "x"}))
    assert result.exit_code == 1
    assert "Pulumi.dev.yaml:" in result.stdout
    assert "replicas: expected a whole number, found text" in result.stdout


def test_check_stops_at_what_an_up_would_stop_at(workspace: Workspace) -> None:
    workspace.write_config({"secrets": {"token": None}})
    result = run("check", "--stack", workspace.write_stack())
    assert result.exit_code == 1
    assert "pulumi config set --secret --path 'trussform:secrets.token'" in result.stdout
    assert run("render", "--stack", workspace.stack).exit_code == 0
    stack = workspace.write_stack(**{"trussform:secrets": {"token": {"secure": "v1:x"}}})
    assert run("check", "--stack", stack).stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [["check", "--format", "xml", "."], ["schema"], ["schema", "pod"], ["nonsense"]],
)
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_render_prints_all_servers_as_one_stream() -> None:
    result = run("render", "--stack", LOCAL)
    documents = list(yaml.safe_load_all(result.stdout))
    assert [(d["kind"], d["metadata"]["name"]) for d in documents] == [
        ("Namespace", "models"),
        ("Deployment", "llama"),
        ("Service", "llama"),
        ("HTTPRoute", "llama"),
        ("Deployment", "embeddings"),
        ("Service", "embeddings"),
        ("HTTPRoute", "embeddings"),
    ]
    assert (
        "warning: base_image.image: the tag of `python:3.11-slim` is not resolved" in result.stderr
    )


def test_render_writes_a_folder_for_each_server_with_the_dockerfile(tmp_path: Path) -> None:
    result = run("render", "--stack", LOCAL, "--out", tmp_path)
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {
        "0-namespace-models.yaml",
        "llama/deployment.yaml",
        "llama/service.yaml",
        "llama/httproute.yaml",
        "embeddings/deployment.yaml",
        "embeddings/service.yaml",
        "embeddings/httproute.yaml",
        "embeddings/image/Dockerfile",
        "embeddings/image/requirements.txt",
    }
    assert f"{tmp_path}/llama/deployment.yaml" in result.stdout


def test_render_names_the_secret_and_the_command_that_makes_it(workspace: Workspace) -> None:
    workspace.write_config({"secrets": {"token": None}})
    secrets = {"trussform:secrets": {"token": "in-the-clear"}}
    result = run("render", "--stack", workspace.write_stack(**secrets))
    command = "kubectl create secret generic server-secrets -n models --from-file=token=FILE"
    assert command in result.stdout
    assert "in-the-clear" not in result.output


def test_render_of_a_path_outside_the_stack_uses_the_stages_defaults(workspace: Workspace) -> None:
    path = workspace.write_config()
    other = path.parent.rename(workspace.folder / "other")
    result = run("render", "--stack", workspace.write_stack(), other)
    names = {document["metadata"]["name"] for document in yaml.safe_load_all(result.stdout)}
    assert names == {"models", "other"}


def test_render_stops_at_an_error_and_writes_nothing(workspace: Workspace) -> None:
    workspace.write_config({"oops": 1})
    out = workspace.folder / "out"
    result = run("render", "--stack", workspace.write_stack(), "--out", out)
    assert (result.exit_code, result.stdout, out.exists()) == (1, "", False)
    assert "oops: unknown field" in result.stderr


def test_explain_gives_each_decision_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    output = run("explain", "--stack", LOCAL).stdout
    assert "the config adds no files to the base image, so no build is needed" in output
    assert "the config has requirements" in output
    assert "the stage has no `spare_gpus`, so the old pod stops first" in output
    assert (
        "grace period 610 (requests 600) + node 900 + pull 900 + start 1800 + checks 20 s" in output
    )


def request_of(workspace: Workspace, config: dict[str, Any]) -> str:
    """The row of `explain` that says how to ask the server."""
    workspace.write_config(config)
    plans, _ = plans_of(stack_file.read_stack(workspace.write_stack()))
    (plan,) = plans.values()
    return {name: value for name, value, _ in rows(plan)}["try it"]


def test_explain_gives_the_request_that_the_config_shows(workspace: Workspace) -> None:
    body = {"text": "[bold]it's [/bold] $(date) größe"}
    command = request_of(workspace, {"model_metadata": {"example_model_input": body}})
    program, url, option, data = shlex.split(command)
    assert (program, option, json.loads(data)) == ("curl", "--json", body)
    assert url.endswith("/environments/dev/predict")
    assert request_of(workspace, {}) == f"curl {url}"
    long = {"model_metadata": {"example_model_input": "x" * 3_000}}
    assert request_of(workspace, long) == f"curl {url} --json @FILE"
    grpc = {"runtime": {"transport": {"kind": "grpc"}}}
    assert request_of(workspace, grpc) == "-"


@pytest.mark.parametrize(
    ("of", "files"),
    [
        ("config", sorted(ROOT.glob("examples/servers/*/config.yaml"))),
        ("stage", sorted(ROOT.glob("stacks/Pulumi.*.yaml"))),
    ],
)
def test_the_schema_fits_the_files_it_is_for(of: str, files: list[Path]) -> None:
    schema = json.loads(run("schema", of).stdout)
    for file in files:
        data: Any = yaml.safe_load(file.read_text())
        jsonschema.validate(data["config"]["trussform:stage"] if of == "stage" else data, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"oops": 1}, schema)


@pytest.mark.parametrize("port", [0, 65_536])
def test_the_schema_has_the_bounds_of_numbers(port: int) -> None:
    schema = json.loads(run("schema", "stage").stdout)
    stage = {"environment": "dev", "route": {"kind": "gateway", "port": port}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(stage, schema)


def test_a_rendered_folder_has_the_guard_before_its_route(workspace: Workspace) -> None:
    """kubectl applies a folder by the names of its files."""
    out = workspace.folder / "out"
    workspace.write_config()
    stage = {
        "route": {"controller": "envoy-gateway"},
        "auth": {"kind": "api-key", "existing": "keys"},
    }
    run("render", "--stack", workspace.write_stack(stage), "--out", out)
    files = sorted(file.name for file in (out / "server").glob("*.yaml"))
    assert files.index("auth-securitypolicy.yaml") < files.index("httproute.yaml")
    note = (out / "server/deployment.yaml").read_text().splitlines()[0]
    assert note.startswith("# Needs the Secret keys; make it with: ")
    assert note.endswith(
        " --from-literal=CLIENT.bearer=KEY --from-literal=CLIENT.api-key='Api-Key KEY'"
    )
    workspace.write_stack()
    run("render", "--stack", workspace.stack, "--out", out)
    assert not (out / "server/auth-securitypolicy.yaml").exists()


def test_render_takes_away_what_an_earlier_render_made(workspace: Workspace) -> None:
    out = workspace.folder / "out"
    workspace.write_config({"runtime": {"transport": {"kind": "grpc"}}})
    assert run("render", "--stack", workspace.write_stack(), "--out", out).exit_code == 0
    assert (out / "server/grpcroute.yaml").exists()
    workspace.write_config()
    assert run("render", "--stack", workspace.stack, "--out", out).exit_code == 0
    routes = [file.name for file in (out / "server").glob("*route.yaml")]
    assert routes == ["httproute.yaml"]


def test_check_imports_no_pulumi() -> None:
    script = (
        "import sys; from typer.testing import CliRunner; from trussform.cli.app import app; "
        f"CliRunner().invoke(app, ['check', '--stack', {LOCAL!r}]); "
        "print([name for name in sys.modules if name.partition('.')[0].startswith('pulumi')])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_explain_sends_nothing_to_the_terminal_but_text(workspace: Workspace) -> None:
    odd = "\x1b[2J\x1b]0;title\x07\x9b31m\u202e\x7f"
    workspace.write_config({"environment_variables": {"A": f"[bold]{odd}"}})
    result = run("explain", "--stack", workspace.write_stack())
    assert result.exit_code == 0
    assert [char for char in result.stdout if not char.isprintable() and char != "\n"] == []
    assert "[bold]" in result.stdout


KEYS = {
    "route": {"kind": "gateway", "name": "public", "controller": "envoy-gateway"},
    "auth": {"kind": "api-key", "keys": ["web"], "rotating": {"web": "next"}},
}


def test_render_says_how_to_make_the_secret_of_the_keys(workspace: Workspace) -> None:
    workspace.write_config()
    shown = run("render", "--stack", workspace.write_stack(KEYS)).stdout
    (line,) = [line for line in shown.splitlines() if "server-api-keys; make it with" in line]
    entries = {
        word.removeprefix("--from-literal=")
        for word in shlex.split(line)
        if word.startswith("--from-literal=")
    }
    assert entries == {
        "web.bearer=KEY",
        "web.api-key=Api-Key KEY",
        "next.bearer=KEY",
        "next.api-key=Api-Key KEY",
    }


@pytest.mark.parametrize("auth", [KEYS["auth"], "none"])
def test_the_curl_line_of_explain_sends_a_key_where_one_is_asked_for(
    workspace: Workspace, auth: Any
) -> None:
    plan, _ = workspace.plan(None, {**KEYS, "auth": auth})
    command = {name: shown for name, shown, _ in rows(plan)}["try it"]
    words = shlex.split(command)
    assert ("Authorization: Bearer $API_KEY" in words) == (auth != "none")
    assert words[:2] == ["curl", "https://server.models.example.com/environments/dev/predict"]
