"""The gateways of the cluster, and requests through them."""

import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import grpc
import httpx
from testbed.settings import Gateway

from support.clients import DOMAIN, call_of
from support.cluster import cluster, needed
from support.deployed import kubectl

KEY, OTHER_KEY = "the-key-of-ci", "the-key-of-the-dashboard"
ENVOY = {
    "kind": "gateway",
    "controller": "envoy-gateway",
    "name": "envoy",
    "namespace": "gateway",
    "scheme": "http",
}
TRAEFIK = {**ENVOY, "controller": "traefik", "name": "gateway"}
INGRESS = {"kind": "ingress", "controller": "traefik", "scheme": "http"}
GUARD = """
import http.server

class Guard(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        sent = self.headers.get("baseten-authorization") or self.headers.get("Authorization")
        known = sent == "Bearer somebody"
        self.send_response(200 if known else 401)
        self.send_header("X-User", "somebody")
        self.send_header("Content-Length", "0")
        self.end_headers()

    # Envoy asks by the method of the client, which for gRPC is POST.
    do_POST = do_GET

http.server.ThreadingHTTPServer(("", 9000), Guard).serve_forever()
"""
OK, UNKNOWN = grpc.StatusCode.OK, grpc.StatusCode.UNAUTHENTICATED


def ask(address: str, server: str, environment: str, **headers: str) -> httpx.Response:
    url = f"{address}/environments/{environment}/predict"
    return httpx.get(url, headers={"Host": f"{server}.{DOMAIN}", **headers})


def gateway(name: Gateway) -> str:
    """Returns the URL of a gateway; skips the test if the cluster does not have it."""
    return needed(cluster().gateways.get(name), f"gateways.{name}")


def call(
    channel: grpc.Channel, key: str | None = None, header: str = "authorization"
) -> grpc.StatusCode:
    """Returns how a call ends that sends the key in the header."""
    metadata = ((header, key),) if key else None
    try:
        say = call_of(channel, "Say")
        assert say(b"hello", timeout=5, metadata=metadata) == b"HELLO"
    except grpc.RpcError as error:
        return error.code()  # pyright: ignore[reportAttributeAccessIssue]
    return grpc.StatusCode.OK


@contextmanager
def guarding(namespace: str) -> Generator[dict[str, Any]]:
    """An auth service that knows one caller, as a stage asks for it."""
    labels = {"app": "guard"}
    container = {
        "name": "guard",
        "image": cluster().images.python,
        "command": ["python3", "-c", GUARD],
        "readinessProbe": {"tcpSocket": {"port": 9000}, "periodSeconds": 1},
    }
    grant = {
        "from": [
            {
                "group": "gateway.envoyproxy.io",
                "kind": "SecurityPolicy",
                "namespace": "models-asked",
            }
        ],
        "to": [{"group": "", "kind": "Service", "name": "guard"}],
    }
    about = {"name": "guard", "namespace": namespace}
    objects = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {**about, "labels": labels},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": about,
            "spec": {"selector": labels, "ports": [{"port": 9000}]},
        },
        {
            "apiVersion": "gateway.networking.k8s.io/v1beta1",
            "kind": "ReferenceGrant",
            "metadata": about,
            "spec": grant,
        },
    ]
    for made in objects:
        kubectl("apply", "--filename", "-", input=json.dumps(made))
    try:
        kubectl("wait", "--for=condition=Ready", "pod/guard", "-n", namespace, "--timeout=60s")
        address = kubectl("get", "pod/guard", "-n", namespace, "-o", "jsonpath={.status.podIP}")
        with named(address, f"guard.{namespace}.svc.cluster.local"):
            yield {"kind": "forward", "service": "guard", "namespace": namespace, "port": 9000}
    finally:
        kubectl("delete", "namespace", namespace)


@contextmanager
def named(address: str, name: str) -> Generator[None]:
    """Traefik on this machine has no DNS of the cluster's: the machine's own file says it, and for
    the DNS that nginx asks a file of the name's own."""
    line = f"{address} {name}\n"
    files = [cluster().hosts_file or Path(os.devnull)]
    if names := cluster().names_folder:
        files.append(names / name)
    for path in files:
        with one_at_a_time(path), path.open("a") as file:
            file.write(line)
    try:
        yield
    finally:
        for path in filter(Path.is_file, files):
            with one_at_a_time(path):
                path.write_text(path.read_text().replace(line, ""))


@contextmanager
def one_at_a_time(path: Path) -> Generator[None]:
    """Keeps the other processes of the tests from the file meanwhile."""
    with (Path(gettempdir()) / f"trussform-{path.name}.lock").open("w") as file:
        flock(file, LOCK_EX)
        yield
