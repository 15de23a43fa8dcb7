"""Who gets in: by a key, or by the word of an auth service; asked by real requests."""

import json
import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from clients import DOMAIN, open_channel
from deployed import ByPulumi, Deployed, destroy, kubectl
from programs import wait_for
from reliability import record
from test_stacks import small

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


@pytest.fixture(scope="module", autouse=True)
def ended(deployed: Deployed) -> Iterator[None]:
    yield
    destroy(deployed, "keys", "asked")


def ask(address: str, server: str, environment: str, **headers: str) -> httpx.Response:
    url = f"{address}/environments/{environment}/predict"
    return httpx.get(url, headers={"Host": f"{server}.{DOMAIN}", **headers})


def gateway(name: str = "GATEWAY") -> str:
    if f"TRUSSFORM_TEST_{name}" not in os.environ:
        pytest.skip(f"TRUSSFORM_TEST_{name} is not set: the cluster has no such gateway")
    return os.environ[f"TRUSSFORM_TEST_{name}"]


def test_a_client_gets_in_by_its_key_alone(engine: ByPulumi) -> None:
    address = gateway("ENVOY")
    stage = {
        "route": ENVOY,
        "auth": {"kind": "api-key", "keys": ["ci", "dashboard"]},
        "servers": {"locked": small()},
    }

    def status(**headers: str) -> int:
        return ask(address, "locked", "keys", **headers).status_code

    engine.up("keys", stage, ci=KEY, dashboard=OTHER_KEY)
    wait_for(lambda: status(Authorization=f"Api-Key {KEY}") == 200, "the route is there")
    got = {
        "no key": status(),
        "Api-Key WRONG": status(Authorization="Api-Key of-somebody-else"),
        "Bearer WRONG": status(Authorization="Bearer of-somebody-else"),
        "Api-Key KEY": status(Authorization=f"Api-Key {OTHER_KEY}"),
        "Bearer KEY": status(Authorization=f"Bearer {OTHER_KEY}"),
    }
    assert list(got.values()) == [401, 401, 401, 200, 200]
    for scheme in ("Api-Key", "Bearer"):
        seen = ask(address, "locked", "keys", Authorization=f"{scheme} {KEY}").json()
        assert seen["authorization"] is None

    engine.up("keys", stage, ci="another-key-of-ci")
    wait_for(lambda: status(Authorization="Bearer another-key-of-ci") == 200, "the new key opens")
    wait_for(lambda: status(Authorization=f"Bearer {KEY}") == 401, "the old one does not")
    assert status(Authorization=f"Api-Key {KEY}") == 401
    assert status(Authorization=f"Api-Key {OTHER_KEY}") == 200
    record(
        "requests by each spelling of a key",
        ", ".join(f"{spelling}: {code}" for spelling, code in got.items())
        + "; a key that was changed: 401, the new one: 200",
    )


def test_a_key_is_replaced_without_a_moment_in_which_neither_works(engine: ByPulumi) -> None:
    address = gateway("ENVOY")
    auth = {"kind": "api-key", "keys": ["ci"]}
    stage = {"route": ENVOY, "servers": {"turning": small()}}
    key, codes, stopping = ["before"], Counter[int](), threading.Event()

    def status(key: str) -> int:
        return ask(address, "turning", "keys", Authorization=f"Bearer {key}").status_code

    def client() -> None:
        while not stopping.is_set():
            codes[status(key[0])] += 1

    engine.up("keys", {**stage, "auth": auth}, ci="before")
    wait_for(lambda: status("before") == 200, "the route is there")
    asking = threading.Thread(target=client)
    asking.start()
    try:
        both = {**auth, "rotating": {"ci": "ci_next"}}
        engine.up("keys", {**stage, "auth": both}, ci_next="after")
        wait_for(lambda: status("after") == 200, "the second key opens")
        key[0] = "after"
        engine.up("keys", {**stage, "auth": auth}, ci="after")
        wait_for(lambda: status("before") == 401, "the first key opens no more")
    finally:
        stopping.set()
        asking.join()
    assert codes.keys() == {200}
    record("a client's key is replaced while it sends requests",
           f"{codes[200]:,} requests, all answered with 200")  # fmt: skip


def test_servers_of_one_stage_have_keys_of_their_own(engine: ByPulumi) -> None:
    address = gateway("ENVOY")
    own = {"kind": "api-key", "keys": ["dashboard"]}
    servers = {"locked": small(), "apart": {**small(), "auth": own}}
    stage = {"route": ENVOY, "auth": {"kind": "api-key", "keys": ["ci"]}, "servers": servers}
    engine.up("keys", stage, ci=KEY, dashboard=OTHER_KEY)

    def status(server: str, key: str) -> int:
        return ask(address, server, "keys", Authorization=f"Bearer {key}").status_code

    wait_for(lambda: status("locked", KEY) == 200, "the one route is there")
    wait_for(lambda: status("apart", OTHER_KEY) == 200, "the other route is there")
    assert [status("locked", OTHER_KEY), status("apart", KEY)] == [401, 401]


def call(
    channel: grpc.Channel, key: str | None = None, header: str = "authorization"
) -> grpc.StatusCode:
    """Returns how a call ends that sends the key in the header."""
    metadata = ((header, key),) if key else None
    try:
        say = channel.unary_unary("/test.Echo/Say")
        assert say(b"hello", timeout=5, metadata=metadata) == b"HELLO"
    except grpc.RpcError as error:
        return error.code()  # pyright: ignore[reportAttributeAccessIssue]
    return grpc.StatusCode.OK


def test_a_client_calls_a_grpc_server_by_its_key_alone(engine: ByPulumi) -> None:
    gateway("ENVOY")
    auth = {"kind": "api-key", "keys": ["ci"]}
    servers = {"locked-calls": {"path": "servers/grpc"}}
    engine.up("keys", {"route": ENVOY, "auth": auth, "servers": servers}, ci=KEY)
    with open_channel("locked-calls", "ENVOY") as channel:
        wait_for(lambda: call(channel, f"Api-Key {KEY}") == OK, "the route is there")
        assert call(channel) == UNKNOWN
        for header in ("authorization", "baseten-authorization"):
            for scheme in ("Bearer", "Api-Key"):
                assert call(channel, f"{scheme} {KEY}", header) == OK
                assert call(channel, f"{scheme} of-somebody-else", header) == UNKNOWN
    record(
        "gRPC calls without a key; with a wrong one and the right one in either header, by "
        "either scheme",
        "UNAUTHENTICATED; UNAUTHENTICATED and OK",
    )


@pytest.fixture(scope="module")
def guard(deployed: Deployed) -> Iterator[dict[str, Any]]:
    with guarding("models-guards") as auth:
        yield auth


@contextmanager
def guarding(namespace: str) -> Iterator[dict[str, Any]]:
    """An auth service that knows one caller, as a stage asks for it."""
    labels = {"app": "guard"}
    container = {
        "name": "guard",
        "image": os.environ["TRUSSFORM_TEST_BASE"],
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
def named(address: str, name: str) -> Iterator[None]:
    """Traefik on this machine has no DNS of the cluster's: the machine's own file says it, and for
    the DNS that nginx asks a file of the name's own."""
    line = f"{address} {name}\n"
    files = [Path(os.environ.get("TRUSSFORM_TEST_HOSTS", os.devnull))]
    if names := os.environ.get("TRUSSFORM_TEST_NAMES"):
        files.append(Path(names) / name)
    for path in files:
        with path.open("a") as file:
            file.write(line)
    try:
        yield
    finally:
        for path in filter(Path.is_file, files):
            path.write_text(path.read_text().replace(line, ""))


BY_EACH = pytest.mark.parametrize(
    ("address", "route"),
    [("ENVOY", ENVOY), ("GATEWAY", TRAEFIK), ("GATEWAY", INGRESS)],
    ids=["envoy", "traefik", "ingress"],
)


@BY_EACH
def test_an_auth_service_is_asked_before_each_request(
    deployed: Deployed, guard: dict[str, Any], address: str, route: dict[str, Any]
) -> None:
    to = gateway(address)
    auth = {**guard, "headers": ["X-User"]}
    deployed.up("asked", {"route": route, "auth": auth, "servers": {"guarded": small()}})

    def status(**headers: str) -> int:
        return ask(to, "guarded", "asked", **headers).status_code

    wait_for(lambda: status(Authorization="Bearer somebody") == 200, "the route is there")
    assert [status(), status(Authorization="Bearer nobody")] == [401, 401]
    assert ask(to, "guarded", "asked", Authorization="Bearer somebody").json()["user"] == "somebody"


@BY_EACH
def test_an_auth_service_is_asked_before_each_call(
    deployed: Deployed, guard: dict[str, Any], address: str, route: dict[str, Any]
) -> None:
    gateway(address)
    servers = {"guarded-calls": {"path": "servers/grpc"}}
    deployed.up("asked", {"route": route, "auth": guard, "servers": servers})
    with open_channel("guarded-calls", address) as channel:
        wait_for(lambda: call(channel, "Bearer somebody") == OK, "the route is there")
        assert [call(channel), call(channel, "Bearer nobody")] == [UNKNOWN, UNKNOWN]
        assert call(channel, "Bearer somebody", "baseten-authorization") == OK
