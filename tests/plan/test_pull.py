"""The login to the registry of a private base image."""

from typing import Any

import pytest
from support.workspace import Workspace
from trussform.plan.pull import Login
from trussform.problem import Problem

PRIVATE = "registry.example.com/team/server:1"
DOCKER_HUB = "https://index.docker.io/v1/"


def config(method: str, image: str = PRIVATE, **auth: Any) -> dict[str, Any]:
    return {"base_image": {"image": image, "docker_auth": {"auth_method": method, **auth}}}


def found(
    workspace: Workspace, config: dict[str, Any], stage: dict[str, Any] | None = None
) -> tuple[tuple[Login, ...], list[Problem]]:
    plan, problems = workspace.plan(config, stage)
    return plan.pull.logins, [problem for problem in problems if "login" in problem.text or
                              "log in" in problem.text or "secret" in problem.text]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "login"),
    [
        (
            config("REGISTRY_SECRET", secret_name="mine"),
            Login("registry.example.com", "mine", None),
        ),
        (
            config("registry_secret", registry="other.example.com"),
            Login("other.example.com", "DOCKER_REGISTRY_other.example.com", None),
        ),
        (
            config("REGISTRY_SECRET", image="team/server:1", secret_name="hub"),
            Login(DOCKER_HUB, "hub", None),
        ),
        (
            config("GCP_SERVICE_ACCOUNT_JSON", secret_name="gcp"),
            Login("registry.example.com", "gcp", "_json_key"),
        ),
        (
            {"secrets": {f"DOCKER_REGISTRY_{DOCKER_HUB}": None}},
            Login(DOCKER_HUB, f"DOCKER_REGISTRY_{DOCKER_HUB}", None),
        ),
    ],
)
def test_a_login_comes_from_a_secret(
    workspace: Workspace, given: dict[str, Any], login: Login
) -> None:
    logins, (problem,) = found(workspace, given)
    assert (logins, problem.level) == ((login,), "blocks-deploy")
    assert "pulumi config set --secret" in problem.fix


def test_a_login_is_no_file_of_the_server(workspace: Workspace) -> None:
    plan, _ = workspace.plan({"secrets": {"DOCKER_REGISTRY_registry.example.com": None}})
    assert not plan.secrets.any


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("AWS_IAM", {}),
        ("AWS_OIDC", {"aws_oidc_role_arn": "arn:r", "aws_oidc_region": "eu-west-1"}),
        ("AWS_ASSUME_ROLE", {"aws_assume_role_arn": "a", "aws_assume_role_region": "r"}),
        ("GCP_OIDC", {"gcp_oidc_service_account": "s", "gcp_oidc_workload_id_provider": "p"}),
    ],
)
def test_a_clouds_identity_is_the_nodes_unless_the_stage_has_a_secret(
    workspace: Workspace, method: str, fields: dict[str, str]
) -> None:
    logins, (problem,) = found(workspace, config(method, **fields))
    assert (logins, problem.level, problem.field) == ((), "warning", "base_image.docker_auth")
    plan, problems = workspace.plan(config(method, **fields), {"pull_secret": "made-elsewhere"})
    assert (plan.pull.existing, plan.pull.logins) == ("made-elsewhere", ())
    assert problems == []


def test_an_existing_secret_cannot_log_in_so_the_stage_names_one_that_can(
    workspace: Workspace,
) -> None:
    given = config("REGISTRY_SECRET", secret_name="mine")
    existing = {"secrets": {"existing": "all"}}
    _, (problem,) = found(workspace, given, existing)
    assert problem.level == "blocks-deploy"
    assert "kubectl create secret docker-registry NAME -n models" in problem.fix
    assert found(workspace, given, {**existing, "pull_secret": "made"}) == ((), [])


def test_a_build_pulls_the_base_where_it_runs(workspace: Workspace) -> None:
    given = {**config("REGISTRY_SECRET", secret_name="mine"), "requirements": ["six"]}
    logins, (problem,) = found(workspace, given)
    assert (logins, problem.level) == ((), "warning")
    assert "docker login" in problem.fix
