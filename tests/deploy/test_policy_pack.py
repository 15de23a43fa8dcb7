"""The rules of the policy pack: on what Trussform makes, and on what others make of it."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from pulumi_policy import (
    EnforcementLevel,
    PolicyCustomTimeouts,
    PolicyResourceOptions,
    ResourceValidationArgs,
)
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError, unknown_checking_proxy
from trussform.cli.render import objects
from trussform.deploy import policy_pack
from trussform.manifests import Manifest
from trussform.plan import Plan

IMAGE = "registry.example.com/server@sha256:" + "d" * 64
CONFIG = {
    "resources": {"accelerator": "L4"},
    "secrets": {"token": None},
    "docker_server": {"run_as_user_id": 1000},
    "environment_variables": {"MODEL": "meta-llama/Llama-3.1-8B-Instruct", "CACHE": "/models/v1"},
    "weights": [{"source": "hf://a/b@" + "0" * 40, "mount_location": "/models/b"}],
}
STAGE = {"servers": {"server": {"image": IMAGE}}, "weights": {"image": IMAGE}}
POLICIES = {policy.name: policy for policy in policy_pack.POLICIES}
CHILD = "urn:pulumi:dev::p::trussform:index:DockerServer$kubernetes:apps/v1:Deployment::a"
OTHER = "urn:pulumi:dev::p::kubernetes:apps/v1:Deployment::a"


@pytest.fixture
def made(plan: Callable[..., Plan]) -> list[Manifest]:
    """All objects of a server with everything, the images by digest."""
    return objects(plan(CONFIG, STAGE))


@pytest.fixture
def deployment(made: list[Manifest]) -> Manifest:
    return next(manifest for manifest in made if manifest["kind"] == "Deployment")


def pod(deployment: Manifest) -> Any:
    return deployment["spec"]["template"]["spec"]


def server(deployment: Manifest) -> Any:
    return pod(deployment)["containers"][0]


def route(kind: str, **labels: str) -> Manifest:
    return {"kind": kind, "metadata": {"labels": labels}, "spec": {}}


def reports(
    name: str, made: Manifest, urn: str = CHILD, config: dict[str, Any] | None = None
) -> Iterator[str]:
    """Returns the reports of a policy, unknown values included."""
    said: list[str] = []
    opts = PolicyResourceOptions(False, [], None, [], PolicyCustomTimeouts(0, 0, 0), [])
    props = unknown_checking_proxy(made)

    def report(message: str, urn: str | None = None) -> None:
        said.append(message)

    args = ResourceValidationArgs("", props, urn, "a", opts, None, config)
    try:
        cast(Any, POLICIES[name]).validate(args, report)
    finally:
        yield from said


def test_what_trussform_makes_passes_all_but_the_rule_of_its_open_route(
    made: list[Manifest],
) -> None:
    kinds = {manifest["kind"] for manifest in made}
    assert kinds == {"ConfigMap", "PersistentVolumeClaim", "Deployment", "Service", "HTTPRoute"}
    for name in POLICIES.keys() - {"routes-with-auth"}:
        assert [message for manifest in made for message in reports(name, manifest)] == []


def test_all_are_mandatory() -> None:
    levels = {policy.enforcement_level for policy in policy_pack.POLICIES}
    assert levels == {EnforcementLevel.MANDATORY}


@pytest.mark.parametrize(
    ("container", "help"),
    [
        ("server", "run `trussform lock`, or give the server `image: repository@sha256:…`"),
        ("copy-app", "run `trussform lock`, or give the server `image: repository@sha256:…`"),
        ("fetch-weights", "run `trussform lock`, or write `weights.image` as repository@sha256:…"),
    ],
)
@pytest.mark.parametrize("image", ["vllm/vllm-openai:v0.9", "python", "a@sha256:12"])
def test_an_image_by_tag(deployment: Manifest, container: str, help: str, image: str) -> None:
    containers = pod(deployment)["initContainers"] + pod(deployment)["containers"]
    (broken,) = (one for one in containers if one["name"] == container)
    broken["image"] = image
    (message,) = reports("images-by-digest", deployment)
    assert f"container `{container}` runs {image}, which has no valid digest" in message
    assert help in message


def test_an_image_that_is_not_built_yet_hides_no_other(deployment: Manifest) -> None:
    copy, fetch = pod(deployment)["initContainers"]
    assert (copy["name"], fetch["name"]) == ("copy-app", "fetch-weights")
    copy["image"] = server(deployment)["image"] = UNKNOWN_STRING_VALUE
    fetch["image"] = "kserve/storage-initializer:v0.20.0"
    said = reports("images-by-digest", deployment)
    assert "container `fetch-weights` runs kserve/storage-initializer:v0.20.0" in next(said)
    with pytest.raises(UnknownValueError):
        next(said)


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_a_missing_probe(deployment: Manifest, probe: str) -> None:
    del server(deployment)[probe]
    pod(deployment)["containers"].append({"name": "proxy", probe: {"grpc": {"port": 1}}})
    (message,) = reports("three-probes", deployment)
    assert f"container `server` has no {probe}; " in message
    assert "`runtime.health_checks`" in message


def test_a_server_by_another_name_has_no_probes(deployment: Manifest) -> None:
    server(deployment)["name"] = "other"
    assert len(list(reports("three-probes", deployment))) == 3


@pytest.mark.parametrize("init", [True, False])
def test_no_memory_request(deployment: Manifest, init: bool) -> None:
    containers = pod(deployment)["initContainers" if init else "containers"]
    del containers[0]["resources"]["requests"]["memory"]
    (message,) = reports("gpu-and-memory", deployment)
    assert f"container `{containers[0]['name']}` requests no memory; " in message
    assert "`resources.memory`" in message
    containers[0]["resources"].setdefault("limits", {})["memory"] = "1Gi"
    assert list(reports("gpu-and-memory", deployment)) == []


def test_a_gpu_without_a_limit(deployment: Manifest) -> None:
    del server(deployment)["resources"]["limits"]
    asked, placed = reports("gpu-and-memory", deployment)
    assert "container `server` requests nvidia.com/gpu without a limit; set the same" in asked
    assert "may run on nodes with GPUs (nvidia.com/gpu.product, nvidia.com/gpu), but no" in placed
    assert "`resources.accelerator`" in placed


@pytest.mark.parametrize(
    "placement",
    [
        {"nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-l4"}},
        {"tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}]},
    ],
)
@pytest.mark.parametrize("limits", [{}, {"nvidia.com/gpu": "0"}, {"nvidia.com/gpu": 0.0}])
def test_a_place_with_gpus_and_no_limit(
    plan: Callable[..., Plan], placement: Manifest, limits: Manifest
) -> None:
    deployment = next(one for one in objects(plan()) if one["kind"] == "Deployment")
    server(deployment)["resources"]["limits"] = limits
    assert list(reports("gpu-and-memory", deployment)) == []
    pod(deployment).update(placement)
    (message,) = reports("gpu-and-memory", deployment)
    assert "no container has a limit for a GPU" in message
    server(deployment)["resources"]["limits"] = {"nvidia.com/mig-3g.40gb": "1"}
    assert list(reports("gpu-and-memory", deployment)) == []


@pytest.mark.parametrize(
    ("variable", "what"),
    [
        ({"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}, "is from a Secret"),
        ({"value": "redis://user:canary@host"}, "looks like a secret"),
        ({"value": "sk-" + "canary7" * 3}, "looks like a secret"),
    ],
)
def test_a_secret_in_a_variable(deployment: Manifest, variable: Manifest, what: str) -> None:
    server(deployment)["env"].append({"name": "TOKEN", **variable})
    (message,) = reports("no-secret-in-environment", deployment)
    assert f"container `server`: TOKEN {what}; declare it under the config's `secrets`" in message
    assert "canary" not in message


def test_a_whole_secret_in_the_environment(deployment: Manifest) -> None:
    fetch = pod(deployment)["initContainers"][-1]
    fetch["envFrom"] = [{"configMapRef": {"name": "c"}}, {"secretRef": {"name": "models"}}]
    (message,) = reports("no-secret-in-environment", deployment)
    assert "container `fetch-weights` has the Secret models in its environment; " in message


def test_a_variable_that_is_not_known_yet_hides_no_other(deployment: Manifest) -> None:
    source = {"secretKeyRef": {"name": "s", "key": "k"}}
    later = {"name": "LATER", "value": UNKNOWN_STRING_VALUE}
    server(deployment)["env"] = [later, {"name": "TOKEN", "valueFrom": source}]
    said = reports("no-secret-in-environment", deployment)
    assert "TOKEN is from a Secret" in next(said)
    with pytest.raises(UnknownValueError):
        next(said)


@pytest.mark.parametrize("kind", ["HTTPRoute", "GRPCRoute", "Ingress"])
def test_a_route_has_auth_unless_the_packs_configuration_allows_it(kind: str) -> None:
    policy = "routes-with-auth"
    for labels in ({}, {"trussform/auth": "none"}):
        (message,) = reports(policy, route(kind, **labels))
        assert "set the stage's `auth`. " in message
        allowed = {"allowUnauthenticatedRoutes": True}
        assert list(reports(policy, route(kind, **labels), config=allowed)) == []
        allowed = {"allowUnauthenticatedRoutes": False}
        assert len(list(reports(policy, route(kind, **labels), config=allowed))) == 1
    for auth in ("api-key", "forward"):
        assert list(reports(policy, route(kind, **{"trussform/auth": auth}))) == []


def test_others_objects_are_left_alone(deployment: Manifest) -> None:
    server(deployment)["image"] = "nginx"
    assert len(list(reports("images-by-digest", deployment, urn=OTHER))) == 1
    del deployment["metadata"]["labels"]
    assert len(list(reports("images-by-digest", deployment, urn=CHILD))) == 1
    assert list(reports("images-by-digest", deployment, urn=OTHER)) == []
    assert list(reports("images-by-digest", {"kind": "Secret"}, urn=OTHER)) == []
