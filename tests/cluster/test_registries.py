"""Private base images: by the config's login, a Google key, or what the nodes have themselves."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pulumi.automation import CommandError
from support.cluster import cluster, needed
from support.deployed import ByPulumi, Deployed, destroy, kubectl, pods
from support.programs import wait_for
from support.servers import push, small
from testbed.settings import PrivateRegistry


@pytest.fixture(scope="module", autouse=True)
def ended(deployed: Deployed) -> Iterator[None]:
    yield
    destroy(deployed, "private", "google", "identity")


def private_registry() -> PrivateRegistry:
    return needed(cluster().private_registry, "private_registry")


def private(name: str, folder: Path) -> str:
    """A new image, by its name in the registry that asks for a login."""
    push(f"{cluster().registry}/{name}", name, folder)
    return f"{private_registry().images}/{name}"


def server(image: str, **auth: str) -> dict[str, Any]:
    return {"servers": {"private": small(base_image={"image": image, "docker_auth": auth})}}


def pod(environment: str) -> dict[str, Any]:
    """The server's one pod, which is ready."""
    (found,) = pods(f"models-{environment}", "private")
    (status,) = found["status"]["containerStatuses"]
    assert status["ready"]
    return found


def test_a_private_image_is_looked_up_and_pulled_with_the_configs_login(
    engine: ByPulumi, tmp_path: Path
) -> None:
    stage = server(
        private("private:1", tmp_path), auth_method="REGISTRY_SECRET", secret_name="login"
    )
    with pytest.raises(CommandError, match="401"):
        engine.up("private", stage, login="puller:wrong")
    login = private_registry().login
    engine.up("private", stage, login=login)
    assert pod("private")["spec"]["imagePullSecrets"]
    state = engine.engine.folder / "state"
    written = "".join(file.read_text() for file in state.rglob("*") if file.is_file())
    assert "private-registry" in written
    assert login.partition(":")[2] not in written


def test_a_private_image_is_looked_up_and_pulled_with_a_google_key(
    engine: ByPulumi, tmp_path: Path
) -> None:
    image = private("google:1", tmp_path)
    key = needed(private_registry().google_key, "private_registry.google_key")
    stage = server(image, auth_method="GCP_SERVICE_ACCOUNT_JSON", secret_name="key")
    engine.up("google", stage, key=key)
    assert pod("google")["spec"]["imagePullSecrets"]


def test_a_node_pulls_no_private_image_by_itself(engine: ByPulumi, tmp_path: Path) -> None:
    image = private("nobody:1", tmp_path)
    kubectl("create", "namespace", "nobody")
    try:
        kubectl("run", "nobody", f"--image={image}", "-n", "nobody")
        waiting = "jsonpath={.status.containerStatuses[0].state.waiting.message}"
        message = ("get", "pod/nobody", "-n", "nobody", "-o", waiting)
        wait_for(lambda: "401" in kubectl(*message), "the registry has asked for a login")
    finally:
        kubectl("delete", "namespace", "nobody")


def test_a_private_image_is_pulled_by_what_the_nodes_have_themselves(
    engine: ByPulumi, tmp_path: Path
) -> None:
    """By a kubelet's credential provider, as the nodes of AWS and Google have one."""
    image = private("nodes/identity:1", tmp_path)
    needed(private_registry().nodes_have_a_login, "private_registry.nodes_have_a_login")
    shown = ["docker", "image", "inspect", "--format", "{{index .RepoDigests 0}}"]
    pushed = f"{cluster().registry}/nodes/identity:1"
    digest = subprocess.run([*shown, pushed], capture_output=True, text=True, check=True).stdout
    locked = {"tags": "locked", "digests": {image: digest.strip().partition("@")[2]}}
    engine.up("identity", {**server(image, auth_method="AWS_IAM"), **locked})
    assert "imagePullSecrets" not in pod("identity")["spec"]
