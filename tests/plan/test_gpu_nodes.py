"""The resources, taints, runtime and driver of GPU nodes, by the stage's `gpu`."""

from collections.abc import Callable
from typing import Any

import pytest
from support.workspace import Workspace, deployment
from trussform.plan import Plan

MakePlan = Callable[..., Plan]
NVIDIA = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
AKS = {"key": "sku", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"}
AKS_SPOT = {
    "key": "kubernetes.azure.com/scalesetpriority",
    "operator": "Equal",
    "value": "spot",
    "effect": "NoSchedule",
}
GKE_SPOT = {
    "key": "cloud.google.com/gke-spot",
    "operator": "Equal",
    "value": "true",
    "effect": "NoSchedule",
}
GKE_LIBRARIES = "/usr/local/nvidia/lib:/usr/local/nvidia/lib64"


def gpus(accelerator: str, **resources: Any) -> dict[str, Any]:
    return {"resources": {"accelerator": accelerator, **resources}}


def pod(plan: Plan) -> Any:
    return deployment(plan)["spec"]["template"]["spec"]


def variables(container: Any) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container.get("env", ()) if "value" in one}


@pytest.mark.parametrize(
    ("gpu", "tolerations"),
    [
        ({}, [NVIDIA]),
        ({"dialect": "aks"}, [NVIDIA, AKS]),
        ({"dialect": "aks", "spot": True}, [NVIDIA, AKS, AKS_SPOT]),
        ({"dialect": "gke"}, [NVIDIA]),
        ({"dialect": "gke", "spot": True}, [NVIDIA, GKE_SPOT]),
        ({"dialect": "eks", "spot": True}, [NVIDIA]),
        ({"taint": "example.com/gpu"}, [{**NVIDIA, "key": "example.com/gpu"}]),
        (
            {"tolerations": [{"key": "dedicated", "value": "gpu", "effect": "NoExecute"}]},
            [
                NVIDIA,
                {
                    "key": "dedicated",
                    "operator": "Equal",
                    "value": "gpu",
                    "effect": "NoExecute",
                },
            ],
        ),
    ],
)
def test_gpu_pods_tolerate_the_taints_of_the_clusters_gpu_nodes(
    plan: MakePlan, gpu: dict[str, Any], tolerations: list[dict[str, str]]
) -> None:
    assert pod(plan(gpus("A100"), {"gpu": gpu}))["tolerations"] == tolerations
    assert "tolerations" not in pod(plan(None, {"gpu": gpu}))


def test_gpu_pods_have_the_runtime_class_of_the_gpu_nodes(plan: MakePlan) -> None:
    stage = {"gpu": {"runtime_class": "nvidia"}}
    assert pod(plan(gpus("L4"), stage))["runtimeClassName"] == "nvidia"
    assert "runtimeClassName" not in pod(plan(None, stage))


def test_slices_of_mig_stand_beside_whole_gpus(plan: MakePlan) -> None:
    stage = {"gpu": {"resources": {"H100_40GB": "nvidia.com/mig-3g.40gb"}}}
    part, whole = plan(gpus("H100_40GB"), stage), plan(gpus("H100"), stage)
    assert pod(part)["containers"][0]["resources"]["limits"] == {"nvidia.com/mig-3g.40gb": "1"}
    assert pod(whole)["containers"][0]["resources"]["limits"] == {"nvidia.com/gpu": "1"}
    # The label of a node with the mixed strategy names the whole GPU.
    assert part.gpu.products == whole.gpu.products
    assert pod(part)["tolerations"] == [NVIDIA]


def test_a_single_resource_of_mig_keeps_nvidias_taint(plan: MakePlan) -> None:
    stage = {
        "gpu": {
            "resource": "nvidia.com/mig-3g.40gb",
            "products": {"H100_40GB": ["NVIDIA-H100-80GB-HBM3"]},
        }
    }
    assert pod(plan(gpus("H100_40GB"), stage))["tolerations"] == [NVIDIA]


def test_a_server_without_an_accelerator_gets_no_gpu_that_its_image_asks_for(
    plan: MakePlan,
) -> None:
    no_build = {"docker_server": {"no_build": True, "run_as_user_id": 1000}}
    spec = pod(plan(no_build))
    containers = [*spec["initContainers"], *spec["containers"]]
    for container in containers:
        assert variables(container)["NVIDIA_VISIBLE_DEVICES"] == "void"
    own = {"environment_variables": {"NVIDIA_VISIBLE_DEVICES": "all"}}
    assert variables(pod(plan(own))["containers"][0])["NVIDIA_VISIBLE_DEVICES"] == "all"


def test_a_gpu_server_keeps_the_devices_that_kubernetes_gives_it(plan: MakePlan) -> None:
    container = pod(plan(gpus("L4")))["containers"][0]
    assert "NVIDIA_VISIBLE_DEVICES" not in variables(container)


@pytest.mark.parametrize(
    ("image", "path", "warned"),
    [
        ("python:3.11-slim", GKE_LIBRARIES, False),
        ("docker.io/library/ubuntu:24.04", GKE_LIBRARIES, False),
        ("ghcr.io/astral-sh/uv:python3.12-bookworm", GKE_LIBRARIES, False),
        ("vllm/vllm-openai:v0.12.0", None, False),
        ("nvidia/cuda:12.4.1-base-ubuntu22.04", None, False),
        ("registry.example.com/team/server:v1", None, True),
    ],
)
def test_on_gke_an_image_without_cuda_finds_the_driver(
    workspace: Workspace, image: str, path: str | None, warned: bool
) -> None:
    config = {"base_image": {"image": image}, **gpus("L4")}
    made, problems = workspace.plan(config, {"gpu": {"dialect": "gke"}, "route": {"kind": "none"}})
    assert variables(pod(made)["containers"][0]).get("LD_LIBRARY_PATH") == path
    fields = [problem.field for problem in problems if problem.level == "warning"]
    assert ("environment_variables" in fields) == warned
    other, _ = workspace.plan(config)
    assert "LD_LIBRARY_PATH" not in variables(pod(other)["containers"][0])


def test_the_configs_own_library_path_stays(plan: MakePlan) -> None:
    config = {**gpus("L4"), "environment_variables": {"LD_LIBRARY_PATH": "/opt/lib"}}
    container = pod(plan(config, {"gpu": {"dialect": "gke"}}))["containers"][0]
    assert variables(container)["LD_LIBRARY_PATH"] == "/opt/lib"


def test_several_gpus_with_truss_default_memory_are_a_warning(workspace: Workspace) -> None:
    _, (problem,) = workspace.plan(gpus("H100:8"))
    assert (problem.level, problem.field) == ("warning", "resources")
    assert problem.message == (
        "the pod requests 2Gi of memory for H100:8, Truss's default; Baseten's machine has 944Gi"
    )
    assert problem.fix == "set `resources.memory`, or `pod.requests.memory` of the stage"


@pytest.mark.parametrize(
    ("config", "stage"),
    [
        (gpus("H100:8", memory="500Gi"), {}),
        (gpus("H100"), {}),
        (gpus("H100:8"), {"pod": {"requests": {"memory": "500Gi"}}}),
    ],
)
def test_memory_that_somebody_chose_is_no_warning(
    workspace: Workspace, config: dict[str, Any], stage: dict[str, Any]
) -> None:
    assert workspace.plan(config, stage)[1] == []
