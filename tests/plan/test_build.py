"""The secrets that a build may read while it runs."""

from typing import Any

import pytest
from support.workspace import Workspace
from trussform.problem import Problem

FIELD = "build.secret_to_path_mapping"
BUILDKIT = {"builder": "buildkit", "registry": "registry.example.com"}


def config(**mapping: str) -> dict[str, Any]:
    return {"build_commands": ["true"], "build": {"secret_to_path_mapping": mapping}}


def problems(
    workspace: Workspace, config: dict[str, Any], stage: dict[str, Any]
) -> tuple[dict[str, str], list[Problem]]:
    plan, found = workspace.plan(config, stage)
    assert plan.image.build is not None
    return dict(plan.image.build.secrets), [p for p in found if p.field.startswith(FIELD)]


def test_buildkit_gives_secrets_to_a_build(workspace: Workspace) -> None:
    secrets, (missing,) = problems(workspace, config(token="/root/token"), BUILDKIT)
    assert secrets == {"token": "/root/token"}
    assert (missing.level, missing.field) == ("blocks-deploy", f"{FIELD}.token")
    assert "trussform:secrets.token" in missing.fix


def test_a_build_command_is_what_reads_the_secrets(workspace: Workspace) -> None:
    given = {**config(token="/root/token"), "build_commands": [], "requirements": ["six"]}
    secrets, (unused,) = problems(workspace, given, BUILDKIT)
    assert secrets == {}
    assert (unused.level, unused.fix) == ("warning", "add `build_commands`, or remove this")


def test_another_builder_has_no_secrets_to_give(workspace: Workspace) -> None:
    _, found = problems(workspace, config(token="/t"), {"registry": "registry.example.com"})
    (problem,) = [problem for problem in found if problem.field == FIELD]
    assert (problem.level, problem.fix) == ("blocks-deploy", "add `builder: buildkit` to the stage")


@pytest.mark.parametrize("path", ["", "token", "/a b", "/a,required=true", "/a\nUSER x", "/$HOME"])
def test_a_path_that_a_dockerfile_reads_otherwise_is_refused(
    workspace: Workspace, path: str
) -> None:
    _, found = problems(workspace, config(token=path), BUILDKIT)
    assert [problem.level for problem in found] == ["error"]
    assert "a Dockerfile cannot mount the secret" in found[0].message
