"""`trussform doctor` on a real cluster: faults made on purpose, and a stack without any."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from support.deployed import Deployed, Project, kubectl
from support.reliability import record
from support.servers import small
from trussform.cli.app import app
from typer.testing import CliRunner, Result

NAMESPACE = "models-doctor"
NODE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "doctor", "labels": {"nvidia.com/gpu.product": "Tesla-T4"}},
    "spec": {"taints": [{"key": "dedicated", "value": "doctor", "effect": "NoSchedule"}]},
}
"""A node without a kubelet, whose taint keeps all pods away."""
QUOTA: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "doctor"},
    "spec": {"hard": {"pods": "0"}},
}
LIMITS: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "LimitRange",
    "metadata": {"name": "doctor"},
    "spec": {"limits": [{"type": "Container", "max": {"memory": "1Mi"}}]},
}
TRAEFIK = {"kind": "gateway", "name": "gateway", "namespace": "gateway", "controller": "traefik"}
USER = {"docker_server": {"run_as_user_id": 10001}}


@pytest.fixture(scope="module", autouse=True)
def namespace(deployed: Deployed) -> Iterator[None]:
    kubectl("create", "namespace", NAMESPACE)
    yield
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("doctor"))


def doctor(project: Project, changes: dict[str, Any], **config: Any) -> Result:
    stage = {"route": TRAEFIK, "namespace": NAMESPACE, **changes}
    project.write("doctor", {**stage, "servers": {"small": small(**config)}})
    return CliRunner().invoke(app, ["doctor", "--stack", str(project.file("doctor"))])


def bad(result: Result) -> list[str]:
    """Returns the lines that are not fine."""
    return [line for line in result.stdout.splitlines() if not line.startswith("fine: ")]


def test_a_good_cluster_has_no_problem(project: Project) -> None:
    begun = time.monotonic()
    result = doctor(project, {}, resources={"accelerator": "L4"})
    took = time.monotonic() - begun
    # Other tests may have all the GPUs meanwhile.
    others = [line for line in bad(result) if "`nvidia.com/gpu` is short" not in line]
    assert others == []
    assert "fine: admission: the cluster accepts " in result.stdout
    record("doctor", "`trussform doctor` of one server on a good cluster", f"{took:.1f} s")


@pytest.mark.parametrize(
    ("changes", "config", "line"),
    [
        ({"route": {**TRAEFIK, "name": "nowhere"}}, {}, "Gateway gateway/nowhere: does not exist"),
        (
            {"route": {**TRAEFIK, "controller": "envoy-gateway"}},
            {},
            "Gateway gateway/gateway: the controller traefik.io/gateway-controller runs it",
        ),
        (
            {"route": {**TRAEFIK, "listener": "https-8"}},
            {},
            "Gateway gateway/gateway: has no listener `https-8`",
        ),
        (
            {},
            {"resources": {"accelerator": "A100"}},
            "nodes for small: no node has nvidia.com/gpu.product in [NVIDIA-A100",
        ),
        (
            {"pod": {"node_selector": {"pool": "none"}}},
            {},
            "nodes for small: no node has pool=none",
        ),
        ({}, {"resources": {"memory": "900Gi"}}, "nodes for small: a pod requests 900Gi"),
        (
            {"gpu": {"resource": "example.com/gpu"}},
            {"resources": {"accelerator": "L4"}},
            "nodes for small: the nodes offer no `example.com/gpu`",
        ),
        (
            {"network_policy": "cilium"},
            {"runtime": {"egress_restrictions": {"fqdn_allow_list": ["example.com"]}}},
            "API: the cluster has no CiliumNetworkPolicy in cilium.io/v2; install Cilium",
        ),
        ({"pull_secret": "login"}, {}, f"secret {NAMESPACE}/login: does not exist"),
        ({"pod": {"priority_class": "none"}}, {}, "priorityclass none: does not exist"),
        (
            {"gpu": {"runtime_class": "nvidia"}},
            {"resources": {"accelerator": "L4"}},
            "runtimeclass nvidia: does not exist",
        ),
        (
            {"registry": "127.0.0.1:9/models"},
            {"requirements": ["six"]},
            "registry 127.0.0.1:9: does not answer this machine",
        ),
        (
            {"namespace": "models-nobodys", "create_namespace": False},
            {},
            "namespace models-nobodys: does not exist",
        ),
    ],
)
def test_a_fault_of_the_stage_is_a_problem(
    project: Project, changes: dict[str, Any], config: dict[str, Any], line: str
) -> None:
    result = doctor(project, changes, **config)
    assert [one for one in bad(result) if one.startswith(f"problem: {line}")], result.stdout
    assert result.exit_code == 1


def test_a_server_of_another_environment_is_a_problem(project: Project) -> None:
    create = ("create", "deployment", "small", "--image", "none", "--replicas", "0")
    kubectl(*create, "--namespace", NAMESPACE)
    kubectl("label", "deployment/small", "trussform/environment=prod", "--namespace", NAMESPACE)
    try:
        result = doctor(project, {})
    finally:
        kubectl("delete", "deployment", "small", "--namespace", NAMESPACE)
    line = f"problem: Deployment {NAMESPACE}/small: belongs to the environment `prod`"
    assert [one for one in bad(result) if one.startswith(line)], result.stdout
    assert result.exit_code == 1


def test_a_taint_that_nothing_tolerates_is_a_problem(project: Project) -> None:
    kubectl("apply", "--filename", "-", input=json.dumps(NODE))
    try:
        result = doctor(project, {}, resources={"accelerator": "T4"})
    finally:
        kubectl("delete", "node", "doctor")
    assert bad(result) == [
        "problem: nodes for small: the pods do not tolerate the taint "
        "dedicated=doctor:NoSchedule of the node doctor; add it to `gpu.tolerations` of the stage"
    ]


@pytest.mark.parametrize(
    ("limit", "line"),
    [(QUOTA, "exceeded quota: doctor"), (LIMITS, "maximum memory usage per Container is 1Mi")],
    ids=["quota", "limit range"],
)
def test_a_limit_of_the_namespace_is_a_problem(
    project: Project, limit: dict[str, Any], line: str
) -> None:
    kubectl("apply", "--namespace", NAMESPACE, "--filename", "-", input=json.dumps(limit))
    try:
        (found,) = bad(doctor(project, {"pod": {"limits": {"memory": "1Gi"}}}))
    finally:
        kubectl("delete", limit["kind"], "doctor", "--namespace", NAMESPACE)
    assert found.startswith("problem: admission: ")
    assert line in found


def test_the_pod_security_level_of_the_namespace_is_heard(project: Project) -> None:
    level = "pod-security.kubernetes.io/enforce"
    kubectl("label", "namespace", NAMESPACE, f"{level}=restricted")
    try:
        (found,) = bad(doctor(project, {}))
        as_user = doctor(project, {}, **USER)
    finally:
        kubectl("label", "namespace", NAMESPACE, f"{level}-")
    assert found.startswith("problem: admission: ")
    assert 'violates PodSecurity "restricted' in found
    assert "; set `run_as_user_id` in the config" in found
    assert bad(as_user) == []


def test_a_context_that_does_not_exist_is_one_line(project: Project) -> None:
    project.write("doctor", {"servers": {"small": small()}})
    words = ["doctor", "--stack", str(project.file("doctor")), "--context", "nowhere"]
    result = CliRunner().invoke(app, words)
    *_, last = result.stderr.splitlines()
    assert last == "kubectl: the context `nowhere` does not exist; run: kubectl config get-contexts"
