"""Secrets that the stack gives and that no server reads."""

from typing import Any

import pytest
from support.workspace import Workspace, plans_of
from trussform import stack_file
from trussform.problem import Problem

ENVOY = {"kind": "gateway", "name": "public", "controller": "envoy-gateway"}
UNREAD = "no server of the stack reads this secret"


def warnings(
    workspace: Workspace,
    config: dict[str, Any] | None = None,
    stage: dict[str, Any] | None = None,
    name: str = "token",
) -> list[Problem]:
    """Returns what is said of a secret `name` that the stack gives."""
    workspace.write_config(config)
    stack = workspace.write_stack(stage, **{"trussform:secrets": {name: {"secure": "v1:x"}}})
    problems = plans_of(stack_file.read_stack(stack))[1]
    return [problem for problem in problems if problem.field == f"trussform:secrets.{name}"]


def test_a_secret_that_nothing_reads_is_a_warning_at_its_line(workspace: Workspace) -> None:
    (warning,) = warnings(workspace)
    lines = workspace.stack.read_text().splitlines()
    assert lines[warning.location.line - 1].split(":")[0].strip() == "token"
    assert (warning.location.path, warning.level) == (str(workspace.stack), "warning")
    assert (warning.message, warning.fix) == (
        UNREAD,
        "add it to `secrets` of the config that needs it, or "
        "run: pulumi config rm --path 'trussform:secrets.token'",
    )


BASE = {"image": "registry.example.com/base:1"}


@pytest.mark.parametrize(
    ("config", "stage", "name"),
    [
        ({"secrets": {"token": None}}, {}, "token"),
        ({"docker_server": {"start_command": 'sh -c "serve $(cat /secrets/token)"'}}, {}, "token"),
        (
            {
                "weights": [
                    {"source": "s3://b/m", "mount_location": "/m", "auth_secret_name": "token"}
                ]
            },
            {},
            "token",
        ),
        (
            {"weights": [{"source": "hf://o/m@main", "mount_location": "/m"}]},
            {},
            "hf_access_token",
        ),
        (
            {
                "model_cache": [
                    {
                        "repo_id": "o/m",
                        "revision": "main",
                        "use_volume": True,
                        "volume_folder": "m",
                        "runtime_secret_name": "token",
                    }
                ]
            },
            {},
            "token",
        ),
        (
            {
                "base_image": {
                    **BASE,
                    "docker_auth": {
                        "auth_method": "GCP_SERVICE_ACCOUNT_JSON",
                        "secret_name": "token",
                        "registry": "registry.example.com",
                    },
                }
            },
            {},
            "token",
        ),
        (
            {"base_image": BASE, "secrets": {"DOCKER_REGISTRY_registry.example.com": None}},
            {},
            "DOCKER_REGISTRY_registry.example.com",
        ),
        (
            {"base_image": BASE, "secrets": {"DOCKER_REGISTRY_registry.example.com": None}},
            {"pull_secret": "login", "secrets": {"existing": "models"}},
            "DOCKER_REGISTRY_registry.example.com",
        ),
        (
            {
                "build_commands": ["pip install x"],
                "build": {"secret_to_path_mapping": {"token": "/root/token"}},
            },
            {"builder": "buildkit"},
            "token",
        ),
        ({}, {"route": ENVOY, "auth": {"kind": "api-key", "keys": ["token"]}}, "token"),
        (
            {},
            {
                "route": ENVOY,
                "auth": {"kind": "api-key", "keys": ["a"], "rotating": {"a": "token"}},
            },
            "token",
        ),
        (
            {},
            {
                "route": ENVOY,
                "servers": {
                    "server": {
                        "auth": {"kind": "api-key", "keys": ["a"], "rotating": {"a": "token"}}
                    }
                },
            },
            "token",
        ),
    ],
)
def test_every_reader_of_a_secret_counts(
    workspace: Workspace, config: dict[str, Any], stage: dict[str, Any], name: str
) -> None:
    assert warnings(workspace, config, stage, name) == []
    (other,) = warnings(workspace, config, stage, "unused")
    assert other.message == UNREAD


@pytest.mark.parametrize("source", [{"existing": "models"}, {"store": "vault"}])
def test_a_value_beside_another_source_of_the_files_is_a_warning(
    workspace: Workspace, source: dict[str, str]
) -> None:
    (warning,) = warnings(workspace, {"secrets": {"token": None}}, {"secrets": source})
    assert "the stage's `secrets` names another source" in warning.message
    assert warning.fix == "run: pulumi config rm --path 'trussform:secrets.token'"


def test_nothing_is_said_where_a_server_was_not_read(workspace: Workspace) -> None:
    assert warnings(workspace, {"oops": 1}) == []
    workspace.write_config()
    stack = stack_file.read_stack(workspace.stack)
    assert plans_of(stack, [workspace.config])[1] == []


def test_one_secret_that_holds_them_all_is_not_judged(workspace: Workspace) -> None:
    workspace.write_config()
    stack = workspace.write_stack(**{"trussform:secrets": {"secure": "v1:x"}})
    assert plans_of(stack_file.read_stack(stack))[1] == []
