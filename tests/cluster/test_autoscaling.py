"""Replicas that follow the load, to zero and back, by KEDA and its HTTP add-on."""

import asyncio
import json
import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, cast

import httpx
import pytest
from pulumi.automation import CommandError
from support.clients import COLD_START, DOMAIN, call_of, open_channel, open_client, open_socket
from support.cluster import cluster, needed
from support.deployed import ByPulumi, kubectl, pods
from support.load import Load, load, wait_for_answer
from support.programs import wait_for
from support.reliability import SOAK, record
from support.routes import ENVOY
from support.scaling import annotations, numbers, resolvable, wait_for_replicas, watched
from support.workspace import plans_of
from trussform import stack_file
from trussform.plan import Plan

START = 30 if SOAK else 5
"""Seconds that a server takes to start."""
BURST = 500
DELAY = 60 if SOAK else 20
"""`scale_down_delay` of the tests that wait for it."""
ROUNDS, REQUESTS = (3, 5000) if SOAK else (1, 300)
CLIENTS, TARGET = 12, 4
"""The requests in flight of a load, and those that a replica shall have."""
PLANNED = CLIENTS // TARGET
NAME = "models-scaled"
QUICK = {"pull": 10, "startup": 20, "drain": 10}
"""Deadlines of an update that is to fail soon."""

Settings = dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def keda() -> None:
    needed(cluster().keda, "keda")


@pytest.fixture
def scaled(engine: ByPulumi) -> Iterator[ByPulumi]:
    yield engine
    engine.destroy("scaled")


def tokens(version: str = "1", **config: Any) -> Settings:
    variables = {"VERSION": version, "START_DELAY": str(START), "PAUSE": "0.02"}
    runtime = {"predict_concurrency": TARGET}
    return {
        "path": "servers/tokens",
        "config": {"environment_variables": variables, "runtime": runtime, **config},
    }


def stage(autoscaling: Settings | None, **changes: Any) -> Settings:
    """A stage of one server; every request that is in flight counts whole."""
    settings = {
        "autoscaling_window": 10,
        "scale_down_delay": DELAY,
        "target_utilization_percentage": 100,
    }
    block = {} if autoscaling is None else {"autoscaling": settings | autoscaling}
    return {
        "route": ENVOY,
        "request_timeout": None,
        "deadlines": {"startup": 60, "drain": 20},
        "servers": {"tokens": tokens()},
        **block,
        **changes,
    }


def plan_of(deployed: ByPulumi) -> Plan:
    stack = stack_file.read_stack(deployed.project.file("scaled"))
    return plans_of(stack)[0]["tokens"]


@contextmanager
def up(deployed: ByPulumi, given: Settings, *servers: str) -> Generator[None]:
    """Deploys the stage; the interceptor finds its servers while the block runs."""
    deployed.up("scaled", given)
    with resolvable(NAME, *(servers or ("tokens",))):
        yield


def test_at_zero_no_request_is_lost(scaled: ByPulumi) -> None:
    """As many requests at once as there may be; a WebSocket, a gRPC call and its stream."""
    echo = {"environment_variables": {"START_DELAY": str(START)}}
    slow = f'sh -c "sleep {START}; python3 /app/data/server.py"'
    servers = {
        "tokens": tokens(),
        "echo": {"path": "servers/echo", "config": echo},
        "calls": {"path": "servers/grpc", "config": {"docker_server": {"start_command": slow}}},
    }
    given = stage({"max_replica": 3, "scale_down_delay": 10}, servers=servers)
    scaled.up("scaled", given, token="a token")
    with resolvable(NAME, *servers):
        for name in servers:
            wait_for_replicas(NAME, name, 0)
        bound = plan_of(scaled).autoscaling.wait
        begun = time.monotonic()
        with ThreadPoolExecutor(3) as pool:
            burst = pool.submit(lambda: asyncio.run(many(BURST)))
            socket = pool.submit(lambda: asyncio.run(talk()))
            calls = pool.submit(call)
            slowest = max(burst.result())
            answers = {"WebSocket": socket.result(), "gRPC": calls.result()}
        record(
            "zero-burst",
            f"{BURST} requests at once to a server at zero, whose start takes {START} s",
            f"{BURST} answered, the slowest after {slowest:.0f} s; planned: {bound} s at most",
        )
        assert answers == {"WebSocket": "HELLO", "gRPC": [b"HELLO", b"0", b"1", b"2"]}
        assert START <= slowest <= bound
        assert time.monotonic() - begun <= bound


async def many(count: int) -> list[float]:
    """Returns the seconds of each of as many streams at once; every one must be whole."""
    limits = httpx.Limits(max_connections=None)
    url = cluster().gateways["envoy"] + "/environments/scaled/predict"
    host = {"Host": f"tokens.{DOMAIN}"}

    async def ask(client: httpx.AsyncClient) -> float:
        begun = time.monotonic()
        answer = await client.post(url, headers=host, content=b"a prompt")
        assert (answer.status_code, answer.text) == (200, "token " * 10 + "1"), answer.text[:200]
        return time.monotonic() - begun

    async with httpx.AsyncClient(limits=limits, timeout=COLD_START) as client:
        return await asyncio.gather(*(ask(client) for _ in range(count)))


async def talk() -> str:
    async with open_socket("echo", "scaled", "websocket", "envoy") as socket:
        await socket.send("hello")
        return cast(str, await socket.recv())


def call() -> list[bytes]:
    """Returns the answers of a call and of a stream; the first waits for the server."""
    with open_channel("calls", "envoy") as channel:
        said = call_of(channel, "Say")(b"hello", timeout=COLD_START)
        count: Any = cast(Any, channel).unary_stream("/test.Echo/Count")
        return [said, *count(b"3", timeout=60)]


def test_replicas_follow_the_load_and_lose_no_request(scaled: ByPulumi) -> None:
    given = stage({"max_replica": 5})
    total, delays, most = Load("tokens", "scaled"), list[float](), set[int]()
    with up(scaled, given):
        for _ in range(ROUNDS):
            with load("tokens", "scaled", CLIENTS) as running:
                wait_for(lambda: numbers(NAME, "tokens")[1] >= 2, "replicas were added", 300)
                wait_for(as_many_as_planned, "as many as the target says", 300)
                wait_for(lambda running=running: running.enough(REQUESTS), "enough requests", 600)
                most.add(numbers(NAME, "tokens")[0])
            ended = time.monotonic()
            with watched(NAME, "tokens") as watch:
                wait_for_replicas(NAME, "tokens", 0, 4 * DELAY + 60)
            delays.append(watch.first(below=max(watch.replicas)) - ended)
            total.served += running.served
            total.lost += running.lost
    seconds = ", ".join(f"{delay:.0f}" for delay in delays)
    record(
        "scale-load",
        f"{ROUNDS} times from zero to a load of {CLIENTS} requests in flight and back, "
        f"{TARGET} for each replica, `scale_down_delay` {DELAY} s",
        f"{total}; {', '.join(map(str, sorted(most)))} replicas; fewer after {seconds} s",
    )
    assert total.lost == []
    assert all(abs(number - PLANNED) <= 1 for number in most)
    if SOAK:
        assert all(0.8 * DELAY <= delay <= 1.2 * DELAY for delay in delays)


def as_many_as_planned() -> bool:
    return abs(numbers(NAME, "tokens")[1] - PLANNED) <= 1


def test_pulumi_leaves_a_number_alone_that_keda_has_set(scaled: ByPulumi) -> None:
    given = stage({"min_replica": 1, "max_replica": 2, "scale_down_delay": 600})
    with up(scaled, given):
        wait_for_answer("tokens", "scaled")
        with load("tokens", "scaled", CLIENTS):
            wait_for_replicas(NAME, "tokens", 2, 300)
        stack = scaled.stack("scaled")
        with watched(NAME, "tokens") as watch:
            assert set(stack.preview().change_summary) == {"same"}
            refreshed = stack.refresh().summary.resource_changes
            assert set(refreshed or {}) <= {"same", "update"}
            assert set(stack.preview().change_summary) == {"same"}
            scaled.up("scaled", {**given, "request_timeout": 600})
        assert watch.replicas == {2}
        assert watch.fewest_ready == 2


def test_it_is_switched_on_and_off_without_fewer_pods(scaled: ByPulumi) -> None:
    """One of two servers of a stage is scaled; the other one has its number throughout."""
    fixed = {**tokens(), "replicas": 1}
    servers = {"tokens": {**tokens(), "replicas": 3}, "other": fixed}
    scaled.up("scaled", stage(None, servers=servers))
    wait_for_answer("tokens", "scaled")
    own = {"min_replica": 1, "max_replica": 4, "autoscaling_window": 10, "scale_down_delay": 600}
    on = {"tokens": {**tokens(), "autoscaling": own}, "other": fixed}
    with (
        resolvable(NAME, "tokens", "other"),
        load("tokens", "scaled", 2) as running,
        watched(NAME, "tokens") as watch,
    ):
        scaled.up("scaled", stage(None, servers=on))
        wait_for(lambda: has_autoscaler("tokens"), "KEDA scales it")
        answered = len(running.served)
        wait_for(lambda: running.enough(answered + 50), "requests pass the add-on")
        assert not has_autoscaler("other")
        scaled.up("scaled", stage(None, servers=servers))
        wait_for(lambda: not has_autoscaler("tokens"), "KEDA leaves it")
        answered = len(running.served)
        wait_for(lambda: running.enough(answered + 50), "requests reach the pods")
    assert watch.replicas == {3}
    assert watch.fewest_ready == 3
    assert running.lost == []
    assert set(scaled.stack("scaled").preview().change_summary) == {"same"}


def has_autoscaler(server: str) -> bool:
    words = ("get", "hpa", f"keda-hpa-{server}", "-n", NAME, "-o", "name", "--ignore-not-found")
    return bool(kubectl(*words))


def test_a_server_at_zero_gets_a_fixed_number(scaled: ByPulumi) -> None:
    with up(scaled, stage({"max_replica": 2, "scale_down_delay": 10})):
        wait_for_replicas(NAME, "tokens", 0)
        scaled.up("scaled", stage(None, replicas=2))
        assert numbers(NAME, "tokens") == (2, 2)
        wait_for(lambda: not has_autoscaler("tokens"), "KEDA leaves it")
        assert numbers(NAME, "tokens") == (2, 2)


def test_at_zero_a_new_version_is_tried(scaled: ByPulumi) -> None:
    """A version that cannot start fails `up`, and the one before it goes on serving."""
    given = stage({"max_replica": 2, "scale_down_delay": 10})
    with up(scaled, given):
        wait_for_replicas(NAME, "tokens", 0)
        given["servers"]["tokens"] = tokens("2")
        with watched(NAME, "tokens") as watch:
            scaled.up("scaled", given)
        assert max(watch.replicas) == 1
        assert version() == "2"
        wait_for_replicas(NAME, "tokens", 0)
        assert "autoscaling.keda.sh/force-activation" not in annotations(NAME, "tokens")

        given["servers"]["tokens"] = tokens("3", docker_server={"start_command": "false"})
        given["deadlines"] = QUICK
        with pytest.raises(CommandError, match="the pods are not ready"):
            scaled.up("scaled", given)
        assert "autoscaling.keda.sh/force-activation" not in annotations(NAME, "tokens")
        assert version() == "2"


def version() -> str:
    """Returns the version that answers."""
    with open_client("tokens", "scaled", "envoy") as client:
        answer = client.post("/predict", content=b"a prompt", timeout=COLD_START)
    assert answer.status_code == 200, answer.text[:200]
    return answer.text.split()[-1]


def test_an_update_while_scaled_out_loses_no_request(scaled: ByPulumi) -> None:
    """Nor does one that fails; the old version goes on serving with all its replicas."""
    given = stage({"min_replica": 1, "max_replica": 2, "scale_down_delay": 600})
    with up(scaled, given):
        wait_for_answer("tokens", "scaled")
        with load("tokens", "scaled", CLIENTS) as running:
            wait_for(lambda: numbers(NAME, "tokens")[1] >= 2, "replicas were added", 300)
            given["servers"]["tokens"] = tokens("2")
            scaled.up("scaled", given)
            wait_for(lambda: running.answers("2"), "the new version answers")
            before = numbers(NAME, "tokens")[0]
            given["servers"]["tokens"] = tokens("3", docker_server={"start_command": "false"})
            given["deadlines"] = QUICK
            with watched(NAME, "tokens") as watch, pytest.raises(CommandError):
                scaled.up("scaled", given)
            assert min(watch.replicas) >= before >= 2
            assert running.version() == "2"
    assert running.lost == []


def test_metrics_of_the_gateway_scale_without_a_hop(scaled: ByPulumi) -> None:
    prometheus = needed(cluster().keda, "keda").prometheus
    given = stage({"min_replica": 1, "max_replica": 5, "prometheus": prometheus})
    scaled.up("scaled", given)
    wait_for_answer("tokens", "scaled")
    route = json.loads(kubectl("get", "httproute/tokens", "-n", NAME, "-o", "json"))
    names = {rule["backendRefs"][0]["name"] for rule in route["spec"]["rules"]}
    assert names == {"tokens"}
    with load("tokens", "scaled", CLIENTS) as running:
        wait_for(as_many_as_planned, "as many as the target says", 300)
        wait_for(lambda: running.enough(REQUESTS), "enough requests", 600)
        wait_for(
            lambda: len(pods(NAME, "tokens")) == numbers(NAME, "tokens")[0],
            "as many pods as replicas",
        )
        number = numbers(NAME, "tokens")[0]
    wait_for_replicas(NAME, "tokens", 1, 8 * DELAY + 60)
    record(
        "scale-metrics",
        f"a load of {CLIENTS} requests in flight, {TARGET} for each replica, by Envoy's metrics "
        "in Prometheus",
        f"{running}; {number} replicas",
    )
    assert running.lost == []
    assert abs(number - PLANNED) <= 1
