"""The requests of requests.py by Ingresses of ingress-nginx, and what is nginx's own."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from support import requests, routes
from support.certificates import keep_certificate, make_certificate
from support.clients import DOMAIN, open_client
from support.deployed import Deployed, destroy
from support.programs import wait_for
from support.reliability import record
from support.servers import small

NGINX = {"kind": "ingress", "controller": "nginx", "scheme": "http"}
OPEN = {"route": NGINX, "request_timeout": None, "servers": {"echo": {"path": "servers/echo"}}}


@pytest.fixture(scope="module", autouse=True)
def address() -> str:
    return routes.gateway("nginx")


@pytest.fixture(scope="module", autouse=True)
def ended(deployed: Deployed) -> Iterator[None]:
    yield
    destroy(deployed, "nginx-in", "nginx-asked", "nginx-tls")


@pytest.fixture(scope="module")
def environment(deployed: Deployed, token: str) -> str:
    deployed.up("nginx-in", OPEN, token=token)
    with open_client("echo", "nginx-in") as client:
        for path in ("/predict", "/sync", "/websocket"):
            wait_for(lambda path=path: client.get(path).status_code == 200, f"nginx has {path}")
    return "nginx-in"


@pytest.fixture(scope="module", autouse=True)
def silent(address: str, environment: str) -> Iterator[Future[list[str]]]:
    """A stream with a longer silence than nginx allows by itself, while the other tests run."""

    def listen() -> list[str]:
        with open_client("echo", environment) as asking:
            return asking.get("/sync/stream?silence=65").text.splitlines()

    with ThreadPoolExecutor() as pool:
        yield pool.submit(listen)


@pytest.fixture
def echo(environment: str, client: Callable[..., httpx.Client]) -> httpx.Client:
    return client("echo", environment)


test_predict = requests.test_predict_goes_to_the_predict_endpoint
test_paths = requests.test_paths_arrive_as_they_were_sent
test_other_paths = requests.test_other_paths_are_nowhere
test_another_host = requests.test_another_host_is_nowhere
test_up = requests.test_a_hundred_megabytes_go_up
test_down = requests.test_a_hundred_megabytes_come_down
test_stream = requests.test_a_stream_arrives_as_it_is_made
test_websockets = requests.test_websockets_speak_both_ways


@pytest.mark.parametrize("path", ["/predictable", "/sync.", "/synchronous/x", "/websockets"])
def test_a_path_that_begins_alike_is_nowhere(echo: httpx.Client, path: str) -> None:
    assert echo.get(path).status_code == 404


def test_a_stream_survives_more_silence_than_nginx_allows_by_itself(
    silent: Future[list[str]],
) -> None:
    assert silent.result() == ["first", "last"]


@pytest.fixture
def guard(deployed: Deployed) -> Iterator[dict[str, Any]]:
    with routes.guarding("models-nginx-guards") as auth:
        yield auth


def test_an_auth_service_is_asked_before_each_request(
    deployed: Deployed, address: str, guard: dict[str, Any]
) -> None:
    auth = {**guard, "headers": ["X-User"]}
    deployed.up("nginx-asked", {"route": NGINX, "auth": auth, "servers": {"guarded": small()}})

    def ask(**headers: str) -> httpx.Response:
        return routes.ask(address, "guarded", "nginx-asked", **headers)

    known = {"Authorization": "Bearer somebody"}
    wait_for(lambda: ask(**known).status_code == 200, "the route is there")
    got = [ask(), ask(Authorization="Bearer nobody"), ask(**known)]
    assert [answer.status_code for answer in got] == [401, 401, 200]
    assert got[-1].json()["user"] == "somebody"
    # What a client says of itself is not what the auth service says.
    assert ask(**known, **{"X-User": "root"}).json()["user"] == "somebody"
    record(
        "nginx-forward-auth",
        "requests through ingress-nginx with no word, a wrong one and the right one for the auth "
        "service",
        ", ".join(str(answer.status_code) for answer in got)
        + "; the server is told who it was by the service's own header",
    )


def test_grpc_speaks_by_tls_alone(deployed: Deployed, address: str, tmp_path: Path) -> None:
    url = httpx.URL(routes.gateway("nginx_tls"))
    host = f"sealed-calls.{DOMAIN}"
    certificate, key = make_certificate(tmp_path, host, f"subjectAltName=DNS:{host}")
    route = {**NGINX, "scheme": "https", "tls": {"secret": "sealed-calls-tls"}}
    servers = {"sealed-calls": {"path": "servers/grpc"}}
    deployed.up("nginx-tls", {"route": route, "servers": servers})
    keep_certificate("sealed-calls-tls", "models-nginx-tls", certificate, key)

    trust = grpc.ssl_channel_credentials(certificate.read_bytes())
    options = [("grpc.ssl_target_name_override", host), ("grpc.default_authority", host)]
    with grpc.secure_channel(f"{url.host}:{url.port}", trust, options) as channel:
        wait_for(lambda: routes.call(channel) == grpc.StatusCode.OK, "the route is there")
        requests.speak(channel)
    plain = httpx.get(f"{address}/test.Echo/Say", headers={"Host": host})
    assert (plain.status_code, plain.headers["Location"]) == (308, f"https://{host}/test.Echo/Say")
