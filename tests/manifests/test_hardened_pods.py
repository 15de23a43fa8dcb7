"""The hardening of every container
of it, with and without secrets."""

from collections.abc import Callable
from typing import Any

import pytest
from trussform.cli.render import objects
from trussform.manifests import Manifest
from trussform.plan import Plan

MakePlan = Callable[..., Plan]

USER = {"docker_server": {"run_as_user_id": 1000}}
FULL = {
    **USER,
    "secrets": {"hf_access_token": None},
    "weights": [{"source": "hf://o/m@main", "mount_location": "/models/m"}],
    "model_cache": [],
}
EXISTING = {"secrets": {"existing": "mine"}}
CONTAINERS = ["copy-app", "fetch-weights", "server"]


def pod(plan: Plan) -> Manifest:
    (made,) = [manifest for manifest in objects(plan) if manifest["kind"] == "Deployment"]
    return made["spec"]["template"]["spec"]


def container(plan: Plan, name: str) -> Manifest:
    spec = pod(plan)
    all = {each["name"]: each for each in [*spec.get("initContainers", ()), *spec["containers"]]}
    return all[name]


@pytest.mark.parametrize("name", CONTAINERS)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("allowPrivilegeEscalation", False),
        ("capabilities", {"drop": ["ALL"]}),
        ("runAsNonRoot", True),
        ("runAsUser", 1000),
    ],
)
def test_each_container_of_a_user_may_do_nothing_that_root_may(
    plan: MakePlan, name: str, field: str, value: Any
) -> None:
    assert container(plan(FULL, EXISTING), name)["securityContext"].get(field) == value


@pytest.mark.parametrize("name", ["fetch-weights", "server"])
def test_secrets_are_mounted_to_be_read_alone(plan: MakePlan, name: str) -> None:
    mounts = container(plan(FULL, EXISTING), name)["volumeMounts"]
    assert [mount for mount in mounts if mount["name"] == "secrets"] == [
        {"name": "secrets", "mountPath": "/secrets", "readOnly": True}
    ]


def test_no_other_container_sees_the_secrets(plan: MakePlan) -> None:
    mounts = container(plan(FULL, EXISTING), "copy-app")["volumeMounts"]
    assert [mount["name"] for mount in mounts] == ["app", "tmp", "workspace", "packages"]


@pytest.mark.parametrize("config", [{}, USER, FULL], ids=["root", "user", "full"])
def test_a_pod_always_has_a_group_of_its_own(plan: MakePlan, config: dict[str, Any]) -> None:
    assert pod(plan(config, EXISTING))["securityContext"]["fsGroup"] == 60000


@pytest.mark.parametrize("kind", ["claim", "node"])
@pytest.mark.parametrize("config", [{}, USER, FULL], ids=["root", "user", "full"])
def test_a_pod_shares_only_a_folder_for_weights_with_its_node(
    plan: MakePlan, config: dict[str, Any], kind: str
) -> None:
    spec = pod(plan(config, {**EXISTING, "weights": {"storage": {"kind": kind}}}))
    assert {"hostNetwork", "hostPID", "hostIPC"}.isdisjoint(spec)
    shared = [volume["name"] for volume in spec["volumes"] if "hostPath" in volume]
    assert shared == (["weights"] if kind == "node" and "weights" in config else [])
    for each in [*spec.get("initContainers", ()), *spec["containers"]]:
        assert "privileged" not in each["securityContext"]
        assert all("hostPort" not in port for port in each.get("ports", ()))
