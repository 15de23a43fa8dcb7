"""The servers of `servers/` and an example, deployed once on a real cluster."""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from support import reliability
from support.clients import call_of, open_channel, open_client
from support.cluster import cluster
from support.deployed import ByKubectl, ByPulumi, Deployed, kubectl
from support.programs import engine_missing, wait_for
from support.workspace import ROOT
from testbed import settings
from xdist.scheduler import LoadScopeScheduling  # pyright: ignore[reportMissingTypeStubs]

SHARED = ("test_pods.py", "test_requests.py", "test_rollouts.py", "test_gpus.py")
"""The files whose tests use the servers below, or the GPUs and the label of the one node."""
LONGEST = (*SHARED, "test_secrets.py", "test_failures.py", "test_access.py", "test_envoy.py")
"""The files that start first, because their tests take longest."""

DEV: dict[str, Any] = {
    "request_timeout": None,
    "servers": {
        "echo": {"path": "servers/echo", "config": {"resources": {"accelerator": "L4"}}},
        "calls": {"path": "servers/grpc"},
        "minilm": {"path": "servers/minilm-embeddings"},
    },
}
PRODUCTION: dict[str, Any] = {
    "request_timeout": None,
    "route": {"kind": "ingress", "controller": "traefik", "scheme": "http"},
    "servers": {
        "echo": {"path": "servers/echo"},
        "second": {"path": "servers/echo"},
        "calls-too": {"path": "servers/grpc"},
    },
}


class ByFile(LoadScopeScheduling):
    """Runs the tests of a file in one process, and those of `SHARED` in one too."""

    def _split_scope(self, nodeid: str) -> str:
        name = Path(nodeid.partition("::")[0]).name
        return "shared" if name in SHARED else name


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any]:
    """A failed test shows the pods, their events and their logs."""
    outcome = yield
    report = outcome.get_result()
    if report.failed and settings.file():
        names = _show("get", "namespaces", "--output", "name").splitlines()
        for namespace in (name.removeprefix("namespace/") for name in names):
            if not namespace.startswith("models-"):
                continue
            for title, words in (
                ("pods", ["get", "pods", "--output", "wide"]),
                ("events", ["get", "events", "--sort-by", ".lastTimestamp"]),
                ("logs", ["logs", "--selector", "trussform/environment", "--tail", "30"]),
            ):
                if shown := _show(*words, "--namespace", namespace):
                    report.sections.append((f"{title} in {namespace}", shown))


def _show(*words: str) -> str:
    try:
        return kubectl(*words, "--request-timeout=20s")
    except (AssertionError, OSError) as error:
        return str(error)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the figures of one process to the one that prints them."""
    if output := getattr(session.config, "workeroutput", None):
        output["figures"] = reliability.FIGURES


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    reliability.FIGURES.update(getattr(node, "workeroutput", {}).get("figures", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for what, seen in reliability.FIGURES.values():
        terminalreporter.write_line(f"{what}: {seen}")
    stats = terminalreporter.stats
    if reliability.SOAK and not (stats.get("failed") or stats.get("error")):
        reliability.write(ROOT / "docs/reliability.md")
    if not settings.file():
        return
    reason = engine_missing()
    how = f"{ByKubectl.how}, as there is no Pulumi engine ({reason})" if reason else ByPulumi.how
    terminalreporter.write_line(f"The servers on the cluster were deployed {how}.")


@pytest.fixture(scope="session")
def token() -> str:
    return "a token\nof two lines"


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    cluster()
    folder = tmp_path_factory.mktemp("deployed")
    made = ByKubectl(folder) if engine_missing() else ByPulumi(folder)
    try:
        yield made
    finally:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(made.destroy, list(made.stacks)))


@pytest.fixture(scope="session")
def engine(deployed: Deployed) -> ByPulumi:
    if isinstance(deployed, ByKubectl):
        pytest.skip(f"no Pulumi engine: {engine_missing()}")
    return deployed


@pytest.fixture(scope="session")
def dev(deployed: Deployed, token: str) -> str:
    """The environment by HTTPRoute and GRPCRoute; the echo server on an L4."""
    deployed.up("dev", DEV, token=token)
    _wait_for_routes("dev", "echo", "/predict", "/sync", "/websocket")
    _wait_for_routes("dev", "minilm", "/predict", "/sync/health")
    _wait_for_calls("calls")
    return "dev"


@pytest.fixture(scope="session")
def production(deployed: Deployed, token: str) -> str:
    """The environment by Ingress; the same host for the echo server as in dev."""
    deployed.up("production", PRODUCTION, token=token)
    for server in ("echo", "second"):
        _wait_for_routes("production", server, "/predict", "/sync", "/sync/", "/websocket")
    _wait_for_calls("calls-too")
    return "production"


def _wait_for_routes(environment: str, server: str, *paths: str) -> None:
    """The gateway hears of each route by itself, and no deployment waits for that."""
    with open_client(server, environment) as client:
        for path in paths:
            wait_for(lambda path=path: client.get(path).status_code in (200, 405),
                     f"{server} has {path}")  # fmt: skip


def _wait_for_calls(server: str) -> None:
    with open_channel(server) as channel:
        wait_for(lambda: _serves(channel), f"{server} answers")


def _serves(channel: grpc.Channel) -> bool:
    try:
        return call_of(channel, "Say")(b"hello", timeout=5) == b"HELLO"
    except grpc.RpcError:
        return False


@pytest.fixture(params=["dev", "production"], ids=["gateway", "ingress"])
def environment(request: pytest.FixtureRequest) -> str:
    """Each way in, one after the other."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def client() -> Iterator[Callable[..., httpx.Client]]:
    clients: list[httpx.Client] = []

    def make(server: str = "echo", environment: str = "dev") -> httpx.Client:
        clients.append(open_client(server, environment))
        return clients[-1]

    yield make
    for made in clients:
        made.close()
