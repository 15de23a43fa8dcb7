"""The places of secrets, the places without them, and the rotation of a changed one."""

import base64
import hashlib
import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from support import canaries
from support.builders import READ, use_buildx
from support.canaries import Told, canary, holds
from support.cluster import cluster, needed
from support.deployed import ByPulumi, kubectl, pods
from support.programs import wait_for
from support.reliability import record
from support.routes import ENVOY, ask, gateway
from support.servers import push

CRASH = "python3 -c 'raise SystemExit(open(\"/secrets/token\").read())'"
"""Prints a secret: the log has it, but the report of a failed deploy must not show it."""

TOLD = {
    *("ConfigMap", "Deployment", "Event", "HTTPRoute", "NetworkPolicy", "Pod"),
    *("PodDisruptionBudget", "ReplicaSet", "SecurityPolicy", "Service"),
    *("Dockerfile", "Pulumi.canary.yaml", "canary.json", "deployment.yaml"),
    *("docker", "log", "pulumi", "trussform"),
}
"""Objects, files and talkers of which at least something must have been read."""


def in_base64(text: str) -> str:
    return base64.encodebytes(text.encode()).decode()


@pytest.mark.parametrize("before", ["", "1", "12", "123"])
@pytest.mark.parametrize("after", ["", "1", "12"])
def test_a_value_is_found_however_it_is_written(before: str, after: str) -> None:
    value = canary()
    for write in (str, canaries.quote, in_base64):
        assert holds(write(before + value + after).encode(), value)
        assert not holds(write(before + value[:-2] + "xx" + after).encode(), value)


@pytest.fixture
def first() -> dict[str, str]:
    """A server's, a client's, a build's, and a login that opens nothing."""
    return {
        "token": canary(),
        "client": canary(),
        "build": canary(),
        "login": f"puller:{canary()}",
    }


@pytest.fixture
def second(first: dict[str, str]) -> dict[str, str]:
    """The changed values; the login is the right one."""
    registry = needed(cluster().private_registry, "private_registry")
    made = {name: canary() for name in first}
    return {**made, "login": registry.login}


def canary_stage(folder: Path) -> dict[str, Any]:
    """One server from a private image, one from an image that is built with a secret."""
    push(f"{cluster().registry}/canary:1", "canary", folder)
    login = {"auth_method": "REGISTRY_SECRET", "secret_name": "login"}
    name = f"{needed(cluster().private_registry, 'private_registry').images}/canary:1"
    build = {
        # A command of its own for each run, or BuildKit has it done already.
        "build_commands": [f"{READ} > /app/seen && echo {token_hex(8)}"],
        "build": {"secret_to_path_mapping": {"build": "/root/t"}},
    }
    image = {"base_image": {"image": name, "docker_auth": login}}
    return {
        "route": ENVOY,
        "request_timeout": 1,
        "auth": {"kind": "api-key", "keys": ["client"]},
        "builder": "buildkit",
        "deadlines": {"pull": 60, "startup": 60},
        "ingress_from": [{"cidr": "0.0.0.0/0"}],
        "servers": {
            "private": {"path": "servers/small", "config": image},
            "built": {"path": "servers/small", "config": build, "replicas": 2},
        },
    }


def test_a_secret_is_in_its_secret_and_nowhere_else(
    engine: ByPulumi,
    first: dict[str, str],
    second: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_buildx(monkeypatch)
    stage = canary_stage(tmp_path)
    try:
        told = tell(engine, stage, first, second)
        built = kubectl("exec", "-n", "models-canary", "deployment/built", "--", "cat", "/app/seen")
        # BuildKit runs no command again only because its secret is another.
        assert built.strip() == hashlib.sha256(first["build"].encode()).hexdigest()
        assert built.strip().encode() in told["docker save"], "the layers are searched in plain"
        assert in_secrets("models-canary", second) == {
            "private-secrets": ["token"],
            "private-registry": ["login"],
            "private-api-keys": ["client"],
            "built-secrets": ["token"],
            "built-api-keys": ["client"],
        }
    finally:
        engine.destroy("canary")
    assert {Path(where.partition(" ")[0]).name for where in told} >= TOLD
    secrets = {value.removeprefix("puller:") for value in (*first.values(), *second.values())}
    leaks = [where for where, text in told.items() if any(holds(text, value) for value in secrets)]
    assert leaks == []
    size = sum(map(len, told.values())) // 2**20
    record(
        "secret-search",
        f"{len(secrets)} known secrets (a server's, a registry's, a client's, a build's), searched "
        "for as they are, in URLs and in base64",
        f"in their own Secrets and in none of {len(told)} other places, {size} MB: what preview, "
        "up, a failing up and the command line say, state, history and files, logs, events and "
        "objects, the image with its layers",
    )


def tell(
    engine: ByPulumi, stage: dict[str, Any], first: dict[str, str], second: dict[str, str]
) -> Told:
    """Returns the output for secrets that are refused, given, changed, and printed by a server."""
    told: Told = {}
    stack, name = engine.stack("canary"), "models-canary"
    engine.project.write("canary", stage)
    engine.secrets("canary", **first)
    told["preview of a wrong login"] = canaries.run(stack, "preview", fails=True)
    assert b"401" in told["preview of a wrong login"]
    engine.secrets("canary", login=second["login"])
    told["preview"] = canaries.run(stack, "preview", diff=True)
    told["up"] = canaries.run(stack, "up")
    engine.secrets("canary", **second)
    told["preview of a change"] = canaries.run(stack, "preview", diff=True)
    told["up of a change"] = canaries.run(stack, "up", diff=True)
    header = f"Api-Key {second['client']}"
    address = gateway("envoy")
    wait_for(lambda: ask(address, "built", "canary", Authorization=header).status_code == 200,
             "the route is there")  # fmt: skip
    told |= canaries.logs(name)
    told |= canaries.logs("envoy-gateway-system")
    told |= canaries.image(stack.outputs()["built"].value["image"])

    stage["servers"]["private"]["config"]["docker_server"] = {"start_command": CRASH}
    stage["deadlines"] = {"pull": 0, "startup": 20}
    engine.project.write("canary", stage)
    told["failing up"] = canaries.run(stack, "up", fails=True, diff=True)
    assert b"exit code 1" in told["failing up"]
    assert b"[secret]" in told["failing up"].partition(b"last lines of container")[2]
    told |= canaries.objects(name)
    told |= canaries.pulumi(engine, "canary")
    stack_file = engine.project.file("canary")
    told |= canaries.commands(stack_file, engine.project.folder / "out/canary")
    told |= canaries.files(engine.engine.folder)
    return told


def in_secrets(namespace: str, values: dict[str, str]) -> dict[str, list[str]]:
    """Returns the values in each Secret, by its name without the random suffix."""
    made = json.loads(kubectl("get", "secrets", "-n", namespace, "-o", "json"))["items"]
    return {
        secret["metadata"]["name"].rpartition("-")[0]: [
            name
            for name, value in values.items()
            if holds(json.dumps(secret).encode(), value.removeprefix("puller:"))
        ]
        for secret in made
    }


def token_secrets(namespace: str) -> dict[str, str]:
    """The Secrets that servers read a token from: the value by the name."""
    made = json.loads(kubectl("get", "secrets", "-n", namespace, "-o", "json"))["items"]
    known = {secret["metadata"]["name"]: secret["data"] for secret in made}
    return {
        name: base64.b64decode(data["token"]).decode()
        for name, data in known.items()
        if "token" in data
    }


def read_token(namespace: str, pod: str) -> str:
    return kubectl("exec", "-n", namespace, pod, "--", "cat", "/secrets/token")


def is_running(pod: dict[str, Any], restarts: int = 0) -> bool:
    (status,) = pod["status"].get("containerStatuses", [{"restartCount": -1, "state": {}}])
    return status["restartCount"] == restarts and "running" in status["state"]


def is_ready(pod: dict[str, Any]) -> bool:
    return any(status["ready"] for status in pod["status"].get("containerStatuses", []))


class Rolling:
    """The pods of a server while one of another Secret comes up beside those of the old."""

    namespace = "models-rotating"

    def __init__(self, old_secret: str) -> None:
        self.old_secret = old_secret

    def pods(self, old: bool) -> dict[str, dict[str, Any]]:
        found = pods(self.namespace, "slow")
        return {
            pod["metadata"]["name"]: pod
            for pod in found
            if (self.old_secret in json.dumps(pod["spec"]["volumes"])) == old
        }

    def old_container_restarts(self) -> str:
        """The value that the old pod reads after its process was killed."""
        (name,) = self.pods(old=True)
        stop = "import os, signal; os.kill(1, signal.SIGTERM)"
        command = ["kubectl", "exec", "-n", self.namespace, name, "--", "python3", "-c", stop]
        subprocess.run(command, check=False, capture_output=True)  # It ends with its container.
        wait_for(lambda: is_running(self.pods(old=True)[name], 1), "the container is back")
        return read_token(self.namespace, name)

    def old_pod_comes_back(self) -> str:
        """The value that the replacement of a deleted pod reads."""
        (gone,) = self.pods(old=True)
        kubectl("delete", "pod", gone, "-n", self.namespace, "--wait=false")
        wait_for(lambda: any(map(is_running, self.pods(old=True).values())), "another old pod")
        (name,) = self.pods(old=True)
        return read_token(self.namespace, name)


def test_a_changed_secret_is_there_before_its_pods_and_the_old_one_until_they_are_gone(
    engine: ByPulumi,
) -> None:
    stack, namespace = engine.stack("rotating"), Rolling.namespace
    slow = {"path": "servers/small", "config": {"environment_variables": {"START_DELAY": 30}}}
    still = {"path": "servers/tokens", "config": {"secrets": {"other": ""}}}
    stage = {"request_timeout": 1, "servers": {"slow": slow, "still": still}}
    try:
        engine.up("rotating", stage, token="old", other="the same")
        (old_secret,) = token_secrets(namespace)
        all_before = kubectl("get", "secrets", "-n", namespace, "-o", "name").split()
        still_before = [pod["metadata"]["uid"] for pod in pods(namespace, "still")]
        engine.secrets("rotating", token="new")
        events: list[Any] = []
        with ThreadPoolExecutor() as pool:
            update = pool.submit(stack.up, on_event=events.append)
            rolling = Rolling(old_secret)
            wait_for(lambda: any(map(is_running, rolling.pods(old=False).values())), "a new pod")
            read = [rolling.old_container_restarts(), rolling.old_pod_comes_back()]
            meanwhile = sorted(token_secrets(namespace).values())
            assert not any(map(is_ready, rolling.pods(old=False).values())), "too late to say"
            update.result()
        assert read == ["old", "old"]
        assert meanwhile == ["new", "old"]
        assert list(token_secrets(namespace).values()) == ["new"]
        ((name, pod),) = rolling.pods(old=False).items()
        assert (is_ready(pod), read_token(namespace, name)) == (True, "new")
        assert rolling.pods(old=True) == {}
        wanted = [
            ("create-replacement", "Secret"),
            ("replace", "Secret"),
            ("update", "Deployment"),
            ("delete-replaced", "Secret"),
        ]
        assert steps(events) == wanted
        kept = set(all_before) - {f"secret/{old_secret}"}
        assert kept < set(kubectl("get", "secrets", "-n", namespace, "-o", "name").split())
        assert still_before == [pod["metadata"]["uid"] for pod in pods(namespace, "still")]
        assert set(stack.preview().change_summary) == {"same"}
    finally:
        engine.destroy("rotating")
    record(
        "secret-rotation",
        "one secret of a stack of two changes; while its new pod starts, the old pod's process is "
        "killed and then the old pod deleted",
        "both come back and read the old value; " + ", ".join(map(" ".join, wanted)) + "; the "
        "other server's Secret and pod stay as they are",
    )


def steps(events: list[Any]) -> list[tuple[str, str]]:
    """Returns the engine's operations on objects, in the order in which they ended."""
    ended = [event.res_outputs_event.metadata for event in events if event.res_outputs_event]
    changed = [made for made in ended if made.op != "same" and made.type.startswith("kubernetes:")]
    return [(str(made.op.value), made.type.rpartition(":")[2]) for made in changed]


STORED = "models-stored"
STORED_STAGE: dict[str, Any] = {
    "create_namespace": False,
    "request_timeout": 1,
    "secrets": {"store": "vault", "store_kind": "SecretStore", "path": "models/"},
    "servers": {"stored": {"path": "servers/small"}},
}


@pytest.fixture
def store(engine: ByPulumi) -> Iterator[None]:
    """A namespace with a store of the operator's own kind for tests."""
    needed(cluster().has_external_secrets, "has_external_secrets")
    kubectl("create", "namespace", STORED)
    try:
        yield
        engine.destroy("stored")
    finally:
        kubectl("delete", "namespace", STORED)


def keep(token: str) -> None:
    """Have the store hold this token."""
    data = [{"key": "models/token", "value": token}]
    store = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "SecretStore",
        "metadata": {"name": "vault", "namespace": STORED},
        "spec": {"provider": {"fake": {"data": data}}},
    }
    kubectl("apply", "--filename", "-", input=json.dumps(store))


def read_stored() -> str:
    (pod,) = pods(STORED, "stored")
    return read_token(STORED, pod["metadata"]["name"])


def test_a_stores_secret_is_read_and_another_version_rolls_the_pods(
    engine: ByPulumi, store: None
) -> None:
    keep("old")
    engine.up("stored", {**STORED_STAGE, "secrets_version": "1"})
    assert read_stored() == "old"
    keep("new")
    assert set(engine.stack("stored").preview().change_summary) == {"same"}
    events: list[Any] = []
    engine.project.write("stored", {**STORED_STAGE, "secrets_version": "2"})
    engine.stack("stored").up(on_event=events.append)
    assert read_stored() == "new"
    wanted = [("create", "ExternalSecret"), ("update", "Deployment"), ("delete", "ExternalSecret")]
    assert steps(events) == wanted
    wait_for(lambda: list(token_secrets(STORED).values()) == ["new"], "the old Secret is gone")
    words = ("externalsecrets", "-n", STORED, "-o", "jsonpath={.items[*].status.conditions[*]}")
    (ordered,) = kubectl("get", *words).splitlines()
    assert json.loads(ordered)["reason"] == "SecretSynced"
    record(
        "external-secrets",
        "a value changes in a store of the External Secrets Operator, and then `secrets_version`",
        "the new pod reads the new value; " + ", ".join(map(" ".join, wanted)),
    )
