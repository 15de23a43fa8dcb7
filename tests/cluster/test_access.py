"""Auth of real requests: API keys, and an auth service that the gateway asks."""

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from support.clients import open_channel
from support.deployed import ByPulumi, Deployed, destroy
from support.programs import wait_for
from support.reliability import record
from support.routes import (
    ENVOY,
    INGRESS,
    KEY,
    OK,
    OTHER_KEY,
    TRAEFIK,
    UNKNOWN,
    ask,
    call,
    gateway,
    guarding,
)
from support.servers import small
from testbed.settings import Gateway


@pytest.fixture(scope="module", autouse=True)
def ended(deployed: Deployed) -> Iterator[None]:
    yield
    destroy(deployed, "keys", "asked")


def test_a_client_gets_in_by_its_key_alone(engine: ByPulumi) -> None:
    address = gateway("envoy")
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
        "api-keys",
        "requests by each spelling of a key",
        ", ".join(f"{spelling}: {code}" for spelling, code in got.items())
        + "; a key that was changed: 401, the new one: 200",
    )


def test_a_key_is_replaced_without_a_moment_in_which_neither_works(engine: ByPulumi) -> None:
    address = gateway("envoy")
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
    record(
        "key-rotation",
        "a client's key is replaced while it sends requests",
        f"{codes[200]:,} requests, all answered with 200",
    )


def test_servers_of_one_stage_have_keys_of_their_own(engine: ByPulumi) -> None:
    address = gateway("envoy")
    own = {"kind": "api-key", "keys": ["dashboard"]}
    servers = {"locked": small(), "apart": {**small(), "auth": own}}
    stage = {"route": ENVOY, "auth": {"kind": "api-key", "keys": ["ci"]}, "servers": servers}
    engine.up("keys", stage, ci=KEY, dashboard=OTHER_KEY)

    def status(server: str, key: str) -> int:
        return ask(address, server, "keys", Authorization=f"Bearer {key}").status_code

    wait_for(lambda: status("locked", KEY) == 200, "the one route is there")
    wait_for(lambda: status("apart", OTHER_KEY) == 200, "the other route is there")
    assert [status("locked", OTHER_KEY), status("apart", KEY)] == [401, 401]


def test_a_client_calls_a_grpc_server_by_its_key_alone(engine: ByPulumi) -> None:
    gateway("envoy")
    auth = {"kind": "api-key", "keys": ["ci"]}
    servers = {"locked-calls": {"path": "servers/grpc"}}
    engine.up("keys", {"route": ENVOY, "auth": auth, "servers": servers}, ci=KEY)
    with open_channel("locked-calls", "envoy") as channel:
        wait_for(lambda: call(channel, f"Api-Key {KEY}") == OK, "the route is there")
        assert call(channel) == UNKNOWN
        for header in ("authorization", "baseten-authorization"):
            for scheme in ("Bearer", "Api-Key"):
                assert call(channel, f"{scheme} {KEY}", header) == OK
                assert call(channel, f"{scheme} of-somebody-else", header) == UNKNOWN
    record(
        "grpc-api-keys",
        "gRPC calls without a key; with a wrong one and the right one in either header, by "
        "either scheme",
        "UNAUTHENTICATED; UNAUTHENTICATED and OK",
    )


@pytest.fixture(scope="module")
def guard(deployed: Deployed) -> Iterator[dict[str, Any]]:
    with guarding("models-guards") as auth:
        yield auth


BY_EACH = pytest.mark.parametrize(
    ("address", "route"),
    [("envoy", ENVOY), ("traefik", TRAEFIK), ("traefik", INGRESS)],
    ids=["envoy", "traefik", "ingress"],
)


@BY_EACH
def test_an_auth_service_is_asked_before_each_request(
    deployed: Deployed, guard: dict[str, Any], address: Gateway, route: dict[str, Any]
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
    deployed: Deployed, guard: dict[str, Any], address: Gateway, route: dict[str, Any]
) -> None:
    gateway(address)
    servers = {"guarded-calls": {"path": "servers/grpc"}}
    deployed.up("asked", {"route": route, "auth": guard, "servers": servers})
    with open_channel("guarded-calls", address) as channel:
        wait_for(lambda: call(channel, "Bearer somebody") == OK, "the route is there")
        assert [call(channel), call(channel, "Bearer nobody")] == [UNKNOWN, UNKNOWN]
        assert call(channel, "Bearer somebody", "baseten-authorization") == OK
