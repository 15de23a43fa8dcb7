"""NetworkPolicies where the network enforces them, by connections that are made and refused."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from support.cluster import cluster, needed
from support.deployed import kubectl
from support.programs import wait_for
from support.reliability import record
from support.routes import gateway
from support.workspace import Workspace
from trussform.cli.render import objects

NAMESPACES = ("models-guarded", "models-friends", "models-strangers")
NAMESPACE, FRIENDS, STRANGERS = NAMESPACES
GUARDED = {"app": "guarded"}
HOST = "guarded.models.localhost"
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 8000), timeout=3).close()
    print("made")
except OSError as error:
    print(error)
"""


def pod(name: str, namespace: str, labels: dict[str, str]) -> dict[str, Any]:
    """A pod that serves something; the kubelet asks it whether it does."""
    container = {
        "name": "server",
        "image": cluster().images.python,
        "command": ["python3", "-m", "http.server", "8000"],
        "readinessProbe": {"httpGet": {"path": "/etc/hostname", "port": 8000}, "periodSeconds": 1},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }


def apply(*manifests: dict[str, Any]) -> None:
    kubectl("apply", "--filename", "-", input=yaml.safe_dump_all(manifests))


def address(name: str, namespace: str) -> str:
    """The address of a pod, once it is ready."""
    kubectl("wait", "--for=condition=Ready", "--timeout=90s", f"pod/{name}", "-n", namespace)
    return json.loads(kubectl("get", "pod", name, "-n", namespace, "-o", "json"))["status"]["podIP"]


def connects(namespace: str, name: str, to: str) -> bool:
    words = ("python3", "-c", CONNECT, to)
    return kubectl("exec", "-n", namespace, name, "--", *words) == "made\n"


@pytest.fixture(scope="module")
def namespaces() -> Iterator[None]:
    needed(cluster().enforces_network_policies, "enforces_network_policies")
    made = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n}} for n in NAMESPACES]
    apply(*made, pod("client", FRIENDS, {}), pod("client", STRANGERS, {}))
    yield
    kubectl("delete", "namespace", *NAMESPACES)


@pytest.fixture(scope="module")
def clients(namespaces: None) -> dict[str, str]:
    """The addresses of a pod in two namespaces."""
    return {namespace: address("client", namespace) for namespace in (FRIENDS, STRANGERS)}


@pytest.fixture(scope="module")
def guarded(clients: dict[str, str]) -> str:
    """The address of a pod that a policy guards, which anybody reached before."""
    apply(pod("server", NAMESPACE, GUARDED))
    server = address("server", NAMESPACE)
    assert all(connects(namespace, "client", server) for namespace in clients)
    friends = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": FRIENDS}}}
    apply(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "friends", "namespace": NAMESPACE},
            "spec": {
                "podSelector": {"matchLabels": GUARDED},
                "policyTypes": ["Ingress"],
                "ingress": [{"from": [friends]}],
            },
        }
    )
    wait_for(lambda: not connects(STRANGERS, "client", server), "strangers are refused")
    return server


def test_only_pods_of_the_allowed_namespace_reach_a_guarded_pod(guarded: str) -> None:
    assert connects(FRIENDS, "client", guarded)
    assert not connects(STRANGERS, "client", guarded)


def test_the_kubelet_and_the_gateways_on_its_node_reach_a_guarded_pod(guarded: str) -> None:
    apply(pod("later", NAMESPACE, GUARDED))
    later = address("later", NAMESPACE)
    wait_for(lambda: not connects(STRANGERS, "client", later), "strangers are refused")
    parents = [{"name": name, "namespace": "gateway"} for name in ("gateway", "envoy")]
    rule = {"backendRefs": [{"name": "guarded", "port": 8000}]}
    apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "guarded", "namespace": NAMESPACE},
            "spec": {"selector": GUARDED, "ports": [{"port": 8000}]},
        },
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": "guarded", "namespace": NAMESPACE},
            "spec": {"hostnames": [HOST], "parentRefs": parents, "rules": [rule]},
        },
    )
    for origin in (gateway("traefik"), gateway("envoy")):
        url = f"{origin}/etc/hostname"
        wait_for(lambda url=url: httpx.get(url, headers={"Host": HOST}).status_code == 200,
                 f"{origin} reaches the guarded pods")  # fmt: skip


@pytest.fixture
def emptied(namespaces: None) -> Iterator[None]:
    """Afterwards nothing is left of a server of ours."""
    yield
    ours = "--selector=trussform/environment"
    kubectl("delete", "networkpolicies,pods", ours, "-n", NAMESPACE)


@pytest.mark.parametrize("allowed", [[FRIENDS], []], ids=["one-address", "none"])
def test_a_server_reaches_only_what_its_config_allows(
    clients: dict[str, str], emptied: None, allowed: list[str], tmp_path: Path
) -> None:
    ranges = [f"{clients[namespace]}/32" for namespace in allowed]
    config = {"runtime": {"egress_restrictions": {"ip_allow_list": ranges}}}
    plan, _ = Workspace(tmp_path).plan(config, {"namespace": NAMESPACE})
    made = {manifest["kind"]: manifest for manifest in objects(plan)}
    labels = made["Deployment"]["spec"]["template"]["metadata"]["labels"]
    apply(pod("restricted", NAMESPACE, labels))
    server = address("restricted", NAMESPACE)
    assert all(connects(NAMESPACE, "restricted", client) for client in clients.values())

    apply(made["NetworkPolicy"])
    refused = [clients[namespace] for namespace in clients if namespace not in allowed]
    wait_for(lambda: not any(connects(NAMESPACE, "restricted", client) for client in refused),
             "what the config does not allow is refused")  # fmt: skip
    assert all(connects(NAMESPACE, "restricted", clients[namespace]) for namespace in allowed)
    assert connects(FRIENDS, "client", server), "it still answers those who ask it"
    record(
        f"egress-{len(allowed)}",
        f"connections out of a server whose config allows {len(allowed)} of two addresses",
        f"{len(allowed)} made, {len(refused)} refused",
    )


def test_only_the_peers_of_the_stage_reach_a_server(
    clients: dict[str, str], emptied: None, tmp_path: Path
) -> None:
    peers = [{"namespace": FRIENDS}, {"cidr": "192.0.2.0/24"}]
    plan, _ = Workspace(tmp_path).plan(None, {"namespace": NAMESPACE, "ingress_from": peers})
    made = {manifest["kind"]: manifest for manifest in objects(plan)}
    labels = made["Deployment"]["spec"]["template"]["metadata"]["labels"]
    apply(pod("served", NAMESPACE, labels))
    server = address("served", NAMESPACE)
    assert all(connects(namespace, "client", server) for namespace in clients)

    apply(made["NetworkPolicy"])
    wait_for(lambda: not connects(STRANGERS, "client", server), "strangers are refused")
    assert connects(FRIENDS, "client", server)
    assert connects(NAMESPACE, "served", clients[STRANGERS]), "it still reaches others"
    record(
        "ingress",
        "connections to a server with `ingress_from: [{namespace: friends}]`, "
        "enforced by kube-router",
        "from a pod of that namespace made, from a pod of another refused",
    )
