"""Variables and folders of the server's container, as docs/container.md promises them."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from support.workspace import Workspace, deployment
from trussform.manifests import Manifest
from trussform.manifests.build_context import dockerfile
from trussform.plan import Plan

MakePlan = Callable[..., Plan]
USER = {"docker_server": {"run_as_user_id": 1000}}
NO_BUILD = {"docker_server": {"no_build": True}}
RESERVED = [
    "PATH", "PORT", "HOST", "HOSTNAME", "K_SERVICE", "K_REVISION", "K_CONFIGURATION",
    "KUBERNETES_PORT", "KUBERNETES_ANYTHING", "REDIS_SERVICE_HOST", "REDIS_SERVICE_PORT",
    "REDIS_SERVICE_PORT_HTTP",
]  # fmt: skip


def pod(plan: Plan) -> Manifest:
    return deployment(plan)["spec"]["template"]["spec"]


def places(plan: Plan) -> list[str]:
    return [mount["mountPath"] for mount in pod(plan)["containers"][0]["volumeMounts"]]


@pytest.mark.parametrize("name", RESERVED)
def test_a_reserved_variable_is_dropped_with_a_warning_at_its_line(
    workspace: Workspace, name: str
) -> None:
    made, problems = workspace.plan({"environment_variables": {name: "mine", "KEPT": "1"}})
    assert made.variables.texts.get(name) != "mine"
    assert made.variables.texts["KEPT"] == "1"
    (problem,) = problems
    assert (problem.level, problem.field) == ("warning", f"environment_variables.{name}")
    assert problem.location.line > 0
    assert "as on Baseten" in problem.message
    # The name that the help proposes is not dropped as well.
    for proposed in re.findall(r"as in `(\w+)`", problem.fix):
        assert workspace.plan({"environment_variables": {proposed: "mine"}})[1] == []


def test_the_warning_of_path_says_what_to_write(workspace: Workspace) -> None:
    _, (problem,) = workspace.plan({"environment_variables": {"PATH": "/opt/venv/bin:$PATH"}})
    assert "export PATH=" in problem.fix


@pytest.mark.parametrize("name", ["path", "MY_PORT", "K_OTHER", "HOSTNAMES", "SERVICE", "A_HOST"])
def test_a_variable_of_another_name_is_kept(workspace: Workspace, name: str) -> None:
    made, problems = workspace.plan({"environment_variables": {name: "mine"}})
    assert (made.variables.texts[name], problems) == ("mine", [])


def test_the_pod_has_the_variables_that_baseten_sets(plan: MakePlan) -> None:
    python = {"base_image": {"image": "a/b:1", "python_executable_path": "/opt/python"}}
    made = plan(python)
    assert made.variables.texts == {
        "APP_HOME": "/app",
        "PORT": "8000",
        "BT_MODEL_ID": "server",
        "PYTHON_EXECUTABLE": "/opt/python",
        "NVIDIA_VISIBLE_DEVICES": "void",
    }
    variables = {entry["name"]: entry for entry in pod(made)["containers"][0]["env"]}
    path = variables["BT_MODEL_DEPLOYMENT_ID"]["valueFrom"]["fieldRef"]["fieldPath"]
    assert path == "metadata.labels['pod-template-hash']"
    assert "PYTHON_EXECUTABLE" not in plan(NO_BUILD).variables.texts


def test_a_variable_of_the_config_goes_before_one_that_is_not_reserved(plan: MakePlan) -> None:
    made = plan({"environment_variables": {"BT_MODEL_ID": "a", "BT_MODEL_DEPLOYMENT_ID": "b"}})
    variables = [(entry["name"], entry.get("value")) for entry in pod(made)["containers"][0]["env"]]
    assert ("BT_MODEL_ID", "a") in variables
    assert [value for name, value in variables if name == "BT_MODEL_DEPLOYMENT_ID"] == ["b"]


def test_the_environments_name_is_in_the_file_of_baseten(plan: MakePlan) -> None:
    made = deployment(plan(None, {"environment": "staging"}))
    template = made["spec"]["template"]
    (volume,) = [v for v in template["spec"]["volumes"] if v["name"] == "config"]
    items = {item["path"]: item["fieldRef"]["fieldPath"] for item in volume["downwardAPI"]["items"]}
    assert items["environment"] == "metadata.annotations['trussform/environment']"
    assert template["metadata"]["annotations"]["trussform/environment"] == '{"name": "staging"}'
    assert "/etc/b10_dynamic_config/environment" in places(plan())


@pytest.mark.parametrize("config", [{}, {"build_commands": ["true"]}, NO_BUILD, {
    "docker_server": {"no_build": True, "run_as_user_id": 1000, "start_command": None}
}], ids=["as it is", "built", "no_build", "no_build, its own command"])  # fmt: skip
def test_no_volume_takes_the_place_of_the_images_tmp(
    plan: MakePlan, config: dict[str, Any]
) -> None:
    assert {"/app", "/tmp", "/workspace", "/packages"}.isdisjoint(places(plan(config)))


def test_a_user_gets_a_writable_copy_of_each_folder_that_baseten_gives_it(plan: MakePlan) -> None:
    made = plan(USER)
    folders = ["/app", "/tmp", "/workspace", "/packages"]
    assert [place for place in places(made) if place in folders] == folders
    (copy,) = pod(made)["initContainers"]
    assert [mount["mountPath"] for mount in copy["volumeMounts"]] == [f"/copy{f}" for f in folders]
    volumes = {volume["name"]: volume for volume in pod(made)["volumes"]}
    assert all("emptyDir" in volumes[mount["name"]] for mount in copy["volumeMounts"])
    for folder in folders:
        assert folder in copy["command"][2]


def test_weights_take_the_place_of_a_copied_folder(plan: MakePlan) -> None:
    weights = [{"source": "hf://o/m@main", "mount_location": "/workspace"}]
    made = plan({**USER, "weights": weights})
    assert places(made).count("/workspace") == 1
    assert "/workspace" not in made.files.copied


def test_no_build_leaves_the_images_own_config_in_place(plan: MakePlan) -> None:
    assert "/app/config.yaml" in places(plan())
    assert "/app/config.yaml" not in places(plan(NO_BUILD))


def steps(made: Plan) -> list[str]:
    assert made.image.build is not None
    return dockerfile(made.image.build, "python:3").splitlines()


def test_a_build_leaves_tmp_open_to_every_user_and_clean(plan: MakePlan) -> None:
    made = steps(plan({"build_commands": ["chmod 700 /tmp"], "requirements": ["six"]}))
    assert "chmod 1777 /tmp" in made[-1]
    assert "rm -rf /tmp/trussform" in made[-1]
    assert "chmod 700" in made[-2]
    user = steps(plan({**USER, "build_commands": ["true"]}))
    at = next(i for i, step in enumerate(user) if "chmod 1777 /tmp" in step)
    assert at < user.index("USER 1000")


def test_a_build_makes_the_user_and_the_folders_of_baseten(plan: MakePlan) -> None:
    made = "\n".join(steps(plan({"build_commands": ["true"]})))
    assert "useradd -u 60000 -ms /bin/bash app" in made
    assert "mkdir -p /app /packages /workspace" in made
    assert "useradd" not in "\n".join(steps(plan({**USER, "build_commands": ["true"]})))


@pytest.mark.parametrize(
    ("command", "installed"),
    [
        ("uv pip install six", ["uv"]),
        ("cd /app && curl -o x https://example.com", ["curl"]),
        ("echo curly", []),
    ],
)
def test_a_build_has_the_programs_of_trusss_build_that_its_commands_name(
    plan: MakePlan, command: str, installed: list[str]
) -> None:
    made = steps(plan({"build_commands": [command]}))
    for program in ("curl", "uv"):
        found = any(f"command -v {program}" in step for step in made)
        assert found == (program in installed), program
