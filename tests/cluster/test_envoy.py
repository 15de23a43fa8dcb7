"""Requests that Envoy would cut or shed by its own defaults, and Baseten would not."""

import asyncio
import resource
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Queue
from typing import Any, cast

import grpc
import httpx
import pytest
from support.clients import DOMAIN, call_of, open_channel, open_client, open_socket
from support.deployed import Deployed, destroy, kubectl, pods
from support.programs import wait_for
from support.reliability import SOAK, record
from support.routes import ENVOY, gateway

SILENCE = 310 if SOAK else 20
"""Seconds: longer than Envoy's 15 s for a whole call, and at length than its 300 s of silence."""
AT_ONCE = 3_000
"""More than the 1,024 requests in flight and the 1,024 waiting that Envoy allows by default."""
STAGE: dict[str, Any] = {
    "route": ENVOY,
    "request_timeout": None,
    "servers": {"patient": {"path": "servers/grpc"}, "busy": {"path": "servers/echo"}},
}


@pytest.fixture(scope="module", autouse=True)
def up(deployed: Deployed, token: str) -> Iterator[None]:
    gateway("envoy")
    deployed.up("envoy", STAGE, token=token)
    yield
    destroy(deployed, "envoy")


@pytest.fixture(scope="module")
def silent(up: None) -> Iterator[dict[str, Future[object]]]:
    """Starts a call, a gRPC stream and an HTTP stream that are silent, beside the other tests."""
    with (
        ThreadPoolExecutor() as pool,
        open_channel("patient", "envoy") as channel,
        open_client("busy", "envoy", "envoy") as client,
    ):
        client.timeout = httpx.Timeout(SILENCE + 60)
        wait_for(lambda: answers(channel), "the gRPC route is there")
        wait_for(lambda: client.get("/predict").status_code == 200, "the HTTP route is there")
        seconds = str(SILENCE).encode()
        pause = cast(Any, channel).unary_stream("/test.Echo/Pause")
        yield {
            "call": pool.submit(call_of(channel, "Wait"), seconds),
            "stream": pool.submit(lambda: list(pause(seconds))),
            "http": pool.submit(lambda: client.get(f"/sync/stream?silence={SILENCE}").text),
        }


def test_a_websocket_and_a_grpc_stream_live_through_an_update(
    deployed: Deployed, token: str, silent: dict[str, Future[object]]
) -> None:
    before = {name: pod(name) for name in ("busy", "patient")}
    words: Queue[bytes | None] = Queue()

    async def talk() -> list[str | bytes]:
        async with open_socket("busy", "envoy", "websocket", "envoy") as socket:
            await socket.send("before")
            said = [await socket.recv()]
            await asyncio.to_thread(update, deployed, token)
            await asyncio.to_thread(lambda: [wait_for_another(name, before) for name in before])
            await socket.send("after")
            return [*said, await socket.recv()]

    with open_channel("patient", "envoy") as channel:
        talk_both_ways = cast(Any, channel).stream_stream("/test.Echo/Talk")
        stream = talk_both_ways(iter(words.get, None))
        words.put(b"before")
        assert next(stream) == b"BEFORE"
        assert asyncio.run(talk()) == ["BEFORE", "AFTER"]
        words.put(b"after")
        assert next(stream) == b"AFTER"
        words.put(None)
        assert list(stream) == []
    wait_for(lambda: not set(before.values()) & set(all_pods()), "the old pods have gone")
    record(
        "update-open-connections",
        "a WebSocket and a gRPC stream through Envoy while their servers are updated",
        "both go on; the old pods end after them",
    )


def update(deployed: Deployed, token: str) -> None:
    changed = {"config": {"environment_variables": {"VERSION": "2"}}, "replicas": 1}
    servers = {name: {**server, **changed} for name, server in STAGE["servers"].items()}
    deployed.up("envoy", {**STAGE, "servers": servers}, token=token)


def pod(server: str) -> str:
    """Returns the name of the server's one pod that is not about to end."""
    (found,) = pods("models-envoy", server)
    return found["metadata"]["name"]


def wait_for_another(server: str, before: dict[str, str]) -> None:
    wait_for(lambda: len(pods("models-envoy", server)) == 1, f"one pod of {server} is to stay")
    assert pod(server) != before[server]


def all_pods() -> list[str]:
    names = kubectl("get", "pods", "-n", "models-envoy", "-o", "name").split()
    return [name.removeprefix("pod/") for name in names]


def answers(channel: grpc.Channel) -> bool:
    try:
        return call_of(channel, "Say")(b"hello", timeout=5) == b"HELLO"
    except grpc.RpcError:
        return False


def test_the_server_queues_what_envoy_would_shed(silent: dict[str, Future[object]]) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    url = f"{gateway('envoy')}/environments/envoy/sync/slow?seconds=8"
    headers = {"Host": f"busy.{DOMAIN}"}
    limits = httpx.Limits(max_connections=AT_ONCE)

    async def ask() -> Counter[int]:
        async with httpx.AsyncClient(limits=limits, headers=headers, timeout=120) as client:
            got = await asyncio.gather(*(client.get(url) for _ in range(AT_ONCE)))
        return Counter(answer.status_code for answer in got)

    codes = asyncio.run(ask())
    assert codes == {200: AT_ONCE}
    record(
        "many-requests",
        f"{AT_ONCE:,} requests of 8 s at once through Envoy, to one replica",
        "all answered with 200",
    )


def test_silence_ends_no_call_and_no_stream(silent: dict[str, Future[object]]) -> None:
    assert silent["call"].result() == b"WAITED"
    assert silent["stream"].result() == [b"FIRST", b"LAST"]
    assert silent["http"].result() == "first\nlast\n"
    record(
        "silence",
        f"a gRPC call, a gRPC stream and an HTTP stream through Envoy, silent for {SILENCE} s",
        "whole",
    )
