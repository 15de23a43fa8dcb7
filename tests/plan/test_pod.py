"""The stage's `pod`: its parts arrive in the pod, and none replaces a part of Trussform's."""

from collections.abc import Callable
from typing import Any

import pytest
from support.workspace import Workspace, deployment
from trussform import stack_file
from trussform.plan import Plan
from trussform.problem import ProblemError

MakePlan = Callable[..., Plan]
GPU = {"resources": {"accelerator": "L4"}}


def template(plan: Plan) -> Any:
    return deployment(plan)["spec"]["template"]


def server(plan: Plan) -> Any:
    return template(plan)["spec"]["containers"][0]


def own(pod: dict[str, Any], stage: dict[str, Any] | None = None) -> dict[str, Any]:
    """Returns a stage whose server has a `pod` of its own."""
    return {**(stage or {}), "servers": {"server": {"path": "server", "pod": pod}}}


def mistakes(workspace: Workspace, stage: dict[str, Any]) -> list[str]:
    """Returns the problems of a stage that cannot be read."""
    workspace.write_config()
    with pytest.raises(ProblemError) as caught:
        stack_file.read_stack(workspace.write_stack(stage))
    return [f"{p.field}: {p.message}; {p.fix}" for p in caught.value.problems]


def test_labels_and_annotations_are_on_the_pod_and_not_in_the_selector(plan: MakePlan) -> None:
    labels = {"kueue.x-k8s.io/queue-name": "gpus"}
    annotations = {"karpenter.sh/do-not-disrupt": "true"}
    made = plan(None, {"pod": {"labels": labels, "annotations": annotations}})
    metadata = template(made)["metadata"]
    assert labels.items() <= metadata["labels"].items()
    assert metadata["labels"]["app.kubernetes.io/name"] == "server"
    assert annotations.items() <= metadata["annotations"].items()
    assert deployment(made)["spec"]["selector"] == {
        "matchLabels": {"app.kubernetes.io/name": "server"}
    }


def test_the_classes_the_selector_and_the_account_have_kubernetes_names(plan: MakePlan) -> None:
    pod = {
        "priority_class": "serving",
        "runtime_class": "kata",
        "service_account": "reader",
        "node_selector": {"pool": "models"},
    }
    spec = template(plan(None, {"pod": pod}))["spec"]
    assert spec["priorityClassName"] == "serving"
    assert spec["runtimeClassName"] == "kata"
    assert spec["serviceAccountName"] == "reader"
    assert spec["nodeSelector"] == {"pool": "models"}


@pytest.mark.parametrize(
    ("toleration", "spec"),
    [
        (
            {"key": "dedicated", "value": "gpu"},
            {"key": "dedicated", "operator": "Equal", "value": "gpu"},
        ),
        (
            {"key": "dedicated", "operator": "Exists", "effect": "NoExecute"},
            {"key": "dedicated", "operator": "Exists", "effect": "NoExecute"},
        ),
        (
            {"key": "down", "effect": "NoExecute", "toleration_seconds": 60, "value": "x"},
            {
                "key": "down",
                "operator": "Equal",
                "value": "x",
                "effect": "NoExecute",
                "tolerationSeconds": 60,
            },
        ),
        ({"operator": "Exists"}, {"operator": "Exists"}),
    ],
)
def test_a_toleration_arrives_as_it_is_written(
    plan: MakePlan, toleration: dict[str, Any], spec: dict[str, Any]
) -> None:
    made = plan(None, {"pod": {"tolerations": [toleration]}})
    assert template(made)["spec"]["tolerations"] == [spec]


def test_a_servers_pod_is_merged_into_the_stages(plan: MakePlan) -> None:
    stage = {
        "pod": {
            "labels": {"team": "ml", "tier": "a"},
            "tolerations": [{"key": "a", "operator": "Exists"}],
            "requests": {"cpu": "2", "memory": "8Gi"},
            "priority_class": "serving",
        }
    }
    pod = {
        "labels": {"tier": "b"},
        "tolerations": [{"key": "b", "operator": "Exists"}],
        "requests": {"memory": "16Gi"},
    }
    made = plan(None, own(pod, stage))
    labels, spec = template(made)["metadata"]["labels"], template(made)["spec"]
    assert (labels["team"], labels["tier"]) == ("ml", "b")
    assert [toleration["key"] for toleration in spec["tolerations"]] == ["b"]
    assert spec["priorityClassName"] == "serving"
    assert server(made)["resources"]["requests"] == {"cpu": "2", "memory": "16Gi"}


def test_requests_and_limits_of_the_stage_take_precedence(plan: MakePlan) -> None:
    stage = {
        "pod": {
            "requests": {"cpu": "8", "ephemeral_storage": "20Gi"},
            "limits": {"cpu": "16", "memory": "64Gi", "ephemeral_storage": "40Gi"},
        }
    }
    made = plan({"resources": {"cpu": "1", "memory": "32Gi", "accelerator": "L4"}}, stage)
    assert server(made)["resources"] == {
        "requests": {
            "cpu": "8",
            "memory": "32Gi",
            "ephemeral-storage": "20Gi",
            "nvidia.com/gpu": "1",
        },
        "limits": {
            "cpu": "16",
            "memory": "64Gi",
            "ephemeral-storage": "40Gi",
            "nvidia.com/gpu": "1",
        },
    }


def test_every_container_has_the_limits_as_a_quota_of_limits_demands(plan: MakePlan) -> None:
    limits = {"cpu": "4", "memory": "16Gi"}
    config = {
        "docker_server": {"no_build": True, "run_as_user_id": 1000},
        "weights": [{"source": "hf://o/m@" + "0" * 40, "mount_location": "/models/m"}],
        "resources": {"cpu": "1", "memory": "2Gi"},
    }
    spec = template(plan(config, {"pod": {"limits": limits}}))["spec"]
    containers = [*spec["initContainers"], *spec["containers"]]
    assert [container["name"] for container in containers] == [
        "copy-app",
        "fetch-weights",
        "server",
    ]
    assert [container["resources"]["limits"] for container in containers] == [limits] * 3


def test_a_limit_below_the_request_is_an_error_at_the_limit(workspace: Workspace) -> None:
    stage = own({"limits": {"memory": "1Gi"}})
    _, (problem,) = workspace.plan({"resources": {"memory": "2048Mi"}}, stage)
    assert problem.field == "servers.server.pod.limits.memory"
    assert problem.message == ("the memory limit 1Gi of `server` is lower than the request 2048Mi")
    _, problems = workspace.plan({"resources": {"memory": "2048Mi"}}, {"pod": {"limits": {
        "memory": "2Gi"
    }}})  # fmt: skip
    assert problems == []


def test_the_grace_period_is_the_stages_and_requests_have_ten_seconds_less(
    workspace: Workspace, plan: MakePlan
) -> None:
    made = plan(None, {"pod": {"termination_grace_period": 120}})
    assert template(made)["spec"]["terminationGracePeriodSeconds"] == 120
    assert made.drain.seconds == 110
    both = {"pod": {"termination_grace_period": 120}, "deadlines": {"drain": 60}}
    _, (problem,) = workspace.plan(None, both)
    assert (problem.level, problem.field) == ("error", "pod.termination_grace_period")


@pytest.mark.parametrize(
    ("group", "security", "mode"),
    [
        (
            {},
            {
                "fsGroup": 60000,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            0o440,
        ),
        (
            {"fs_group": 1000700000},
            {
                "fsGroup": 1000700000,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            0o440,
        ),
        ({"fs_group": "none"}, {"seccompProfile": {"type": "RuntimeDefault"}}, 0o444),
    ],
)
def test_the_group_of_the_volumes_can_be_a_number_or_the_clusters(
    plan: MakePlan, group: dict[str, Any], security: dict[str, Any], mode: int
) -> None:
    stage = {"pod": group, "secrets": {"existing": "mine"}}
    spec = template(plan({"secrets": {"token": None}}, stage))["spec"]
    assert spec["securityContext"] == security
    (secrets,) = [volume for volume in spec["volumes"] if volume["name"] == "secrets"]
    assert secrets["projected"]["defaultMode"] == mode


def test_weights_of_a_volume_without_a_group_are_written_by_the_user_of_the_stage(
    plan: MakePlan,
) -> None:
    config = {"weights": [{"source": "hf://o/m@" + "0" * 40, "mount_location": "/models/m"}]}
    spec = template(plan(config, {"weights": {"run_as_user_id": 1234}}))["spec"]
    (fetcher,) = [one for one in spec["initContainers"] if one["name"] == "fetch-weights"]
    assert fetcher["securityContext"]["runAsUser"] == 1234
    assert "runAsUser" not in spec["containers"][0]["securityContext"]


@pytest.mark.parametrize(
    ("pod", "mistake"),
    [
        (
            {"labels": {"app.kubernetes.io/name": "x"}},
            "pod.labels.app.kubernetes.io/name: Trussform sets `app.kubernetes.io/name` itself; "
            "use another name",
        ),
        (
            {"labels": {"pod-template-hash": "x"}},
            "pod.labels.pod-template-hash: Trussform sets `pod-template-hash` itself; "
            "use another name",
        ),
        (
            {"annotations": {"trussform/config.yaml": "x"}},
            "pod.annotations.trussform/config.yaml: Trussform sets `trussform/config.yaml` itself; "
            "use another name",
        ),
        (
            {"tolerations": [{"value": "gpu"}]},
            "pod.tolerations[0]: a toleration without a `key` matches no taint; "
            "add `operator: Exists`",
        ),
        (
            {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]},
            "pod.tolerations[0]: `operator: Exists` matches any value, and the toleration has a "
            "`value`; remove `value`, or write `operator: Equal`",
        ),
        (
            {"tolerations": [{"key": "a", "toleration_seconds": 5}]},
            "pod.tolerations[0]: `toleration_seconds` has no effect without `effect: NoExecute`; "
            "add `effect: NoExecute`, or remove `toleration_seconds`",
        ),
    ],
)
def test_a_part_that_trussform_sets_or_kubernetes_refuses_is_an_error(
    workspace: Workspace, pod: dict[str, Any], mistake: str
) -> None:
    assert mistakes(workspace, {"pod": pod}) == [mistake]


def test_a_gpu_pod_cannot_have_two_runtime_classes(workspace: Workspace) -> None:
    stage = {"gpu": {"runtime_class": "nvidia"}, "pod": {"runtime_class": "kata"}}
    _, (problem,) = workspace.plan(GPU, stage)
    assert (problem.level, problem.field) == ("error", "pod.runtime_class")
    made, problems = workspace.plan(None, stage)
    assert (made.pod.runtime_class, problems) == ("kata", [])


def test_explain_names_each_part_and_its_source(plan: MakePlan) -> None:
    pod = {"labels": {"team": "ml"}, "priority_class": "serving"}
    made = plan(GPU, {"pod": pod, "gpu": {"runtime_class": "nvidia"}}).pod
    assert str(made) == (
        "label team=ml; tolerates nvidia.com/gpu:NoSchedule; priority class serving; "
        "runtime class nvidia"
    )
    assert made.why == "`pod` of the stage; GPU pods tolerate the taint of GPU nodes"
    assert str(plan().pod) == "Kubernetes' defaults"
