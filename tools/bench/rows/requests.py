"""Requests to a pod of Trussform through Envoy Gateway, with and without API keys.

The server is an nginx that answers with a fixed text. It costs less CPU time than any proxy, so
that the figures are those of what stands before it. `Truss's nginx` is a second container beside
such a server, in one pod, as in an image of Truss; its configuration is what Truss generates.

wrk sends the requests. It shares the cores of the machine with the proxies and the servers.
"""

import json
import shlex
import statistics
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from support.clients import DOMAIN
from support.cluster import cluster
from support.deployed import ByPulumi, kubectl, pods
from support.routes import ENVOY, KEY
from support.scaling import resolvable
from testbed.docker import in_registry
from testbed.places import NGINX_IMAGE

from bench.figures import ROUNDS, Figure, alternate, compare
from bench.processes import Failed, cost, wait_for
from bench.rows import environments
from bench.rows.environments import STAGE, environment, write_server

ENVIRONMENT = "bench-requests"
NAMESPACE = f"models-{ENVIRONMENT}"
SCALED = "scaled"
"""The server whose requests pass KEDA's HTTP add-on; only on a cluster with KEDA."""
SERVER_PORT, TRUSS_PORT = 9000, 8080
ANSWER = '{"text": "hello"}'
PROMPT = '{"prompt": "hello"}'

CONNECTIONS = 32
"""The connections of wrk while it measures the rate."""
TURNS = 15
"""The rounds of the rate, with short turns: the speed of a machine changes from one to the next."""
STREAMS = 40
"""The streams of a turn; the turn's value is their median."""
PAUSE = 0.02
"""Seconds between the two chunks of a stream."""

SERVER = f"""\
daemon off;
pid /tmp/nginx.pid;
error_log stderr;
worker_processes auto;
include /etc/nginx/modules-enabled/*.conf;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    # The default closes a connection after 1,000 requests.
    keepalive_requests 1000000000;
    server {{
        listen {SERVER_PORT};
        location = /live {{ return 200; }}
        location = /predict {{ default_type application/json; return 200 '{ANSWER}'; }}
        location = /stream {{
            content_by_lua_block {{
                ngx.print("first\\n")
                ngx.flush(true)
                ngx.sleep({PAUSE})
                ngx.print("last\\n")
            }}
        }}
    }}
}}
"""

DEBIAN = """\
user www-data;
worker_processes auto;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
include /etc/nginx/modules-enabled/*.conf;
events { worker_connections 768; }
http {
    sendfile on;
    tcp_nopush on;
    types_hash_max_size 2048;
    default_type application/octet-stream;
    access_log /var/log/nginx/access.log;
    gzip on;
    include /etc/nginx/conf.d/*.conf;
}
"""
"""The nginx.conf of Debian, which an image of Truss has and the image of the cluster lacks."""

CONFIG: dict[str, Any] = {
    "model_name": "fast",
    "base_image": {"image": NGINX_IMAGE},
    "docker_server": {
        "start_command": 'sh -c \'printf %s "$SERVER" > /tmp/nginx.conf && '
        "exec nginx -c /tmp/nginx.conf'",
        "server_port": SERVER_PORT,
        "predict_endpoint": "/predict",
        "readiness_endpoint": "/live",
        "liveness_endpoint": "/live",
    },
    "environment_variables": {"SERVER": SERVER},
    "resources": {"cpu": "10m", "memory": "64Mi"},
}

SCRIPT = f"""\
wrk.method = "POST"
wrk.body = '{PROMPT}'
wrk.headers["Content-Type"] = "application/json"

function done(summary, latency)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    io.write(string.format(
        '\\n{{"requests": %d, "microseconds": %d, "failed": %d, "p50": %d, "p99": %d}}',
        summary.requests, summary.duration, failed,
        latency:percentile(50), latency:percentile(99)))
end
"""
"""The requests of wrk, and what it prints at the end; latencies are in microseconds."""


class Contender(NamedTuple):
    """One way to the server."""

    address: str
    """The scheme, the host and the port of the connections."""
    host: str
    """The `Host` of the requests."""
    predict: str
    """The path of the predict endpoint."""
    stream: str
    """The path of a stream of two chunks."""
    key: str | None = None
    """The API key of the requests."""

    @property
    def headers(self) -> dict[str, str]:
        key = {"Authorization": f"Api-Key {self.key}"} if self.key else {}
        return {"Host": self.host, **key}


class Run(NamedTuple):
    """The result of one turn of wrk."""

    rate: float
    """Requests per second."""
    p50: float
    """Milliseconds."""
    p99: float
    """Milliseconds."""


class Stream(NamedTuple):
    """The seconds of one stream."""

    first: float
    """From the request to the first chunk."""
    rest: float
    """From the first chunk to the end."""


def missing() -> str | None:
    if reason := environments.missing("wrk"):
        return reason
    return None if in_registry(NGINX_IMAGE) else f"{NGINX_IMAGE} is not in the registry"


def measure() -> Iterator[Figure]:
    with environment(ENVIRONMENT) as deployed, serving(deployed) as contenders:
        check(contenders)
        yield from rates(contenders)
        yield from latencies(contenders)
        yield from first_chunks(contenders)


@contextmanager
def serving(deployed: ByPulumi) -> Generator[dict[str, Contender]]:
    """Deploys two servers and their peers; yields the ways to them."""
    file = write_server(deployed, "fast", CONFIG)
    fast = {"path": "servers/fast", "config": {"base_image": CONFIG["base_image"]}}
    keys = {"kind": "api-key", "keys": ["bench"]}
    servers = {"open": fast, "locked": {**fast, "auth": keys}}
    if cluster().keda:
        servers[SCALED] = {**fast, "autoscaling": {"min_replica": 1}}
    deployed.up(ENVIRONMENT, {**STAGE, "servers": servers}, bench=KEY)
    peers = json.dumps({"apiVersion": "v1", "kind": "List", "items": by_hand(truss_nginx(file))})
    try:
        kubectl("apply", "--filename=-", input=peers)
        kubectl("wait", "--for=condition=Ready", "pod/truss", "-n", NAMESPACE, "--timeout=60s")
        with resolvable(NAMESPACE, *(servers.keys() & {SCALED})):
            yield ways()
    finally:
        # Envoy keeps idle connections of the plain route for an hour; the pod would wait for them.
        kubectl("delete", "--filename=-", "--ignore-not-found", input=peers)


def truss_nginx(config: Path) -> str:
    """Returns the nginx configuration that Truss generates for a config.yaml."""
    # Truss takes two seconds to import, which the other rows need not wait for.
    from truss.base.truss_config import TrussConfig  # pyright: ignore[reportMissingTypeStubs]
    from truss.contexts.image_builder import (  # pyright: ignore[reportMissingTypeStubs]
        serving_image_builder as builder,
    )

    with tempfile.TemporaryDirectory() as folder:
        generate: Any = builder.generate_docker_server_nginx_config  # pyright: ignore
        generate(Path(folder), TrussConfig.from_yaml(config))
        return (Path(folder) / "proxy.conf").read_text()


def by_hand(proxy: str) -> list[dict[str, Any]]:
    """Returns a pod as Truss makes it, and plain routes to it and to the pod of Trussform."""
    about = {"namespace": NAMESPACE, "name": "truss", "labels": {"app": "truss"}}
    service = {"selector": about["labels"], "ports": [{"port": 80, "targetPort": TRUSS_PORT}]}
    return [
        {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": truss_pod(proxy)},
        {"apiVersion": "v1", "kind": "Service", "metadata": about, "spec": service},
        plain_route("truss", "truss"),
        plain_route("plain", "open"),
    ]


def truss_pod(proxy: str) -> dict[str, Any]:
    """Returns a pod of the server and of nginx, which the supervisor of Truss starts like this."""
    start = (
        'printf %s "$DEBIAN" > /etc/nginx/nginx.conf && '
        'printf %s "$PROXY" > /etc/nginx/conf.d/proxy.conf && exec nginx -g "daemon off;"'
    )
    server = {
        "name": "server",
        "image": NGINX_IMAGE,
        "command": shlex.split(CONFIG["docker_server"]["start_command"]),
        "env": [{"name": "SERVER", "value": SERVER}],
    }
    nginx = {
        "name": "nginx",
        "image": NGINX_IMAGE,
        "command": ["sh", "-c", start],
        "env": [{"name": "DEBIAN", "value": DEBIAN}, {"name": "PROXY", "value": proxy}],
        "readinessProbe": {"httpGet": {"path": "/", "port": TRUSS_PORT}, "periodSeconds": 1},
    }
    return {"containers": [server, nginx], "terminationGracePeriodSeconds": 0}


def plain_route(name: str, service: str) -> dict[str, Any]:
    """Returns a route of every path to a Service, without rewrite and without policy."""
    parent = {"name": ENVOY["name"], "namespace": ENVOY["namespace"]}
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "backendRefs": [{"name": service, "port": 80}],
    }
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"parentRefs": [parent], "hostnames": [f"{name}.{DOMAIN}"], "rules": [rule]},
    }


def ways() -> dict[str, Contender]:
    """Returns the contenders; those with a key or a rewrite ask the URLs of Baseten."""
    gateway = cluster().gateways["envoy"]
    base = f"/environments/{ENVIRONMENT}"
    (pod,) = pods(NAMESPACE, "open")
    alone = f"{pod['status']['podIP']}:{SERVER_PORT}"
    address = ("get", "pod/truss", "-n", NAMESPACE, "-o", "jsonpath={.status.podIP}")
    truss = f"{kubectl(*address)}:{TRUSS_PORT}"
    trussform = Contender(gateway, f"open.{DOMAIN}", f"{base}/predict", f"{base}/sync/stream")
    plain = Contender(gateway, f"plain.{DOMAIN}", "/predict", "/stream")
    model = "/v1/models/model:predict"
    scaled = {"Trussform through KEDA's HTTP add-on": trussform._replace(host=f"{SCALED}.{DOMAIN}")}
    return {
        "the pod alone": Contender(f"http://{alone}", alone, "/predict", "/stream"),
        "the gateway alone": plain,
        "Trussform": trussform,
        "Trussform with API keys": trussform._replace(host=f"locked.{DOMAIN}", key=KEY),
        **(scaled if cluster().keda else {}),
        "Truss's nginx": Contender(f"http://{truss}", truss, model, "/stream"),
        "the gateway and Truss's nginx": plain._replace(host=f"truss.{DOMAIN}", predict=model),
    }


def check(contenders: dict[str, Contender]) -> None:
    """Raises `Failed` unless every contender answers, and the gateway refuses a wrong key."""
    for name, contender in contenders.items():
        wait_for(partial(problem, name, contender))
        if contender.key:
            wait_for(partial(intrusion, name, contender._replace(key="of-somebody-else")))


def problem(name: str, contender: Contender) -> str | None:
    """Returns the wrong answer of a contender to one request; None if it is right."""
    with client(contender) as asked:
        try:
            answer = asked.post(contender.predict, content=PROMPT)
        except httpx.HTTPError as error:
            return f"{name}: {error!r}"
    right = answer.status_code == 200 and answer.text == ANSWER
    return None if right else f"{name}: {answer.status_code} {answer.text[:200]}"


def intrusion(name: str, contender: Contender) -> str | None:
    """Returns the answer to a wrong key; None if the gateway refuses it."""
    with client(contender) as asked:
        got = asked.post(contender.predict, content=PROMPT).status_code
    return None if got == 401 else f"{name} answers {got} to a wrong key"


def client(contender: Contender) -> httpx.Client:
    return httpx.Client(base_url=contender.address, headers=contender.headers, timeout=10)


def rates(contenders: dict[str, Contender]) -> Iterator[Figure]:
    what = f"requests by {CONNECTIONS} connections"
    for name, found in runs(contenders, CONNECTIONS, seconds=1, rounds=TURNS).items():
        yield Figure(what, name, "requests/s", tuple(run.rate for run in found))


def latencies(contenders: dict[str, Contender]) -> Iterator[Figure]:
    """Yields the latencies of one request at a time: none waits for another one."""
    for name, found in runs(contenders, 1, seconds=2, rounds=ROUNDS).items():
        yield Figure("latency, p50", name, "ms", tuple(run.p50 for run in found))
        yield Figure("latency, p99", name, "ms", tuple(run.p99 for run in found))


def runs(
    contenders: dict[str, Contender], connections: int, seconds: int, rounds: int
) -> dict[str, tuple[Run, ...]]:
    """Returns the turns of each contender, one in each round."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "requests.lua"
        script.write_text(SCRIPT)
        turns = {
            name: partial(load, contender, connections, seconds, script)
            for name, contender in contenders.items()
        }
        return alternate(turns, rounds)


def load(contender: Contender, connections: int, seconds: int, script: Path) -> Run:
    """Returns what wrk measures in a turn of some seconds; raises `Failed` if a request fails."""
    headers = [f"--header={name}: {text}" for name, text in contender.headers.items()]
    options = ["--threads=1", f"--connections={connections}", f"--duration={seconds}s"]
    url = contender.address + contender.predict
    output = cost(["wrk", *options, f"--script={script}", *headers, url]).output.decode()
    seen = json.loads(output.splitlines()[-1])
    if seen["failed"] or not seen["requests"]:
        raise Failed(f"{url} of {contender.host}: {output}")
    rate = seen["requests"] / seen["microseconds"] * 1e6
    return Run(rate, seen["p50"] / 1000, seen["p99"] / 1000)


def first_chunks(contenders: dict[str, Contender]) -> list[Figure]:
    turns = {name: partial(first_chunk, contender) for name, contender in contenders.items()}
    return compare("first chunk of a stream", "ms", turns)


def first_chunk(contender: Contender) -> float:
    """Returns the milliseconds from a request to the first chunk of its stream.

    Raises:
        Failed: if the last chunk does not come later, as where a proxy waits for the whole.
    """
    with client(contender) as asked:
        streams = [stream(asked, contender.stream) for _ in range(STREAMS)]
    if statistics.median(one.rest for one in streams) < PAUSE / 2:
        raise Failed(f"{contender.stream} of {contender.host}: both chunks come at once")
    return statistics.median(one.first for one in streams) * 1000


def stream(asked: httpx.Client, path: str) -> Stream:
    """Sends one request; raises `Failed` unless the answer is whole."""
    begun = time.perf_counter()
    with asked.stream("GET", path) as response:
        chunks = response.iter_raw()
        text = next(chunks, b"")
        first = time.perf_counter() - begun
        text += b"".join(chunks)
    if (response.status_code, text) != (200, b"first\nlast\n"):
        raise Failed(f"{path}: {response.status_code} {text!r}")
    return Stream(first, time.perf_counter() - begun - first)
