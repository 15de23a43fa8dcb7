"""The seconds that pass until a new version of a server answers, beyond its own start.

Each answer of the server has the time at which it first could answer. The server and its client
read the same clock, so this row needs a cluster on this machine. The client asks through Envoy
Gateway every 10 ms.
"""

import json
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from support.clients import open_client
from support.cluster import cluster
from support.deployed import ByPulumi, kubectl

from bench.contenders import write_yaml
from bench.figures import ROUNDS, Figure, compare
from bench.processes import Failed, cost
from bench.rows import environments
from bench.rows.environments import STAGE, environment, write_server

ENVIRONMENT = "bench-starts"
NAMESPACE = f"models-{ENVIRONMENT}"
SERVER, PEER, EDITED = "server", "peer", "edited"
"""A server as Trussform deploys it, one with another startup probe, and one whose config is edited
and deployed again."""

FIRST = "first"
"""The version that every server has at first."""
EVERY = 0.01
"""Seconds between an answer and the next request."""
STARTS = 7
"""The rounds of starts. A start ends at any time between two checks, so the values differ."""
START = (3, 13)
"""The range of a start in seconds: ten wide, which is the period of the slower probe."""
SHORT_START = (3, 4)
"""The same for Trussform's probe alone, whose period is one second."""

COMMAND = """\
python3 -c '
import time

began = time.time()

import http.server, json, os, signal, sys

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
version = os.environ.get("VERSION", sys.argv[1])
time.sleep(float(os.environ.get("START_SECONDS", sys.argv[2])))

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("", 9000), Handler)
answer = json.dumps({"version": version, "began": began, "ready": time.time()}).encode()
server.serve_forever()
'"""
"""The server. Its arguments are its version and the seconds of its start; variables win."""


class Answer(NamedTuple):
    """The first answer of a version; all times are in seconds of the same clock."""

    at: float
    began: float
    """The time at which the server's process began."""
    ready: float
    """The time from which the server could answer."""

    @property
    def late(self) -> float:
        return self.at - self.ready

    @property
    def own_start(self) -> float:
        return self.ready - self.began


def missing() -> str | None:
    return environments.missing()


def measure() -> Iterator[Figure]:
    with environment(ENVIRONMENT) as deployed:
        config = deploy(deployed)
        yield from starts()
        yield from edits(deployed, config)


def deploy(deployed: ByPulumi) -> Path:
    """Deploys the servers; returns the config of the one that is edited."""
    server = {"path": "servers/starting"}
    write_server(deployed, "starting", config_of(FIRST, 0))
    file = write_server(deployed, EDITED, config_of(FIRST, 0))
    servers = {SERVER: server, PEER: server, EDITED: {"path": f"servers/{EDITED}"}}
    deployed.up(ENVIRONMENT, {**STAGE, "servers": servers})
    path = "/spec/template/spec/containers/0/startupProbe/periodSeconds"
    patch = json.dumps([{"op": "replace", "path": path, "value": 10}])
    kubectl("patch", f"deployment/{PEER}", "-n", NAMESPACE, "--type=json", f"--patch={patch}")
    kubectl("rollout", "status", f"deployment/{PEER}", "-n", NAMESPACE, "--timeout=60s")
    for name in servers:
        first_answer(name, FIRST)
    return file


def config_of(version: str, seconds: float) -> dict[str, Any]:
    return {
        "model_name": "starting",
        "base_image": {"image": cluster().images.python},
        "docker_server": {
            "start_command": f"{COMMAND} {version} {seconds:.3f}",
            "server_port": 9000,
            "predict_endpoint": "/predict",
            "readiness_endpoint": "/ready",
            "liveness_endpoint": "/live",
        },
        "resources": {"cpu": "10m", "memory": "64Mi"},
    }


def starts() -> list[Figure]:
    """Returns how late the first request is served after the server could answer."""
    seconds = spread(START, STARTS)
    contenders = {
        "Trussform": partial(start, SERVER, iter(seconds)),
        "startup probe of Kubernetes' default period": partial(start, PEER, iter(seconds)),
    }
    return compare("from ready to the first answer", "s", contenders, STARTS)


def start(server: str, seconds: Iterator[float]) -> float:
    """Starts a new version by the Deployment's variables; returns how late its first answer is."""
    return set_variables(server, next(seconds)).late


def set_variables(server: str, seconds: float) -> Answer:
    version = new_version()
    variables = (f"VERSION={version}", f"START_SECONDS={seconds:.3f}")
    kubectl("set", "env", f"deployment/{server}", "-n", NAMESPACE, *variables)
    return first_answer(server, version)


def edits(deployed: ByPulumi, config: Path) -> list[Figure]:
    """Returns the time from an edit to its first answer, and the time of its `pulumi up`."""
    seconds, ups = spread(SHORT_START, ROUNDS), list[float]()
    contenders = {
        "Trussform": partial(edit, deployed, config, iter(seconds), ups),
        "kubectl set env": partial(edit_alone, iter(seconds)),
    }
    return [
        *compare("from a saved edit to the first answer", "s", contenders),
        Figure("`pulumi up` of the edit, to its end", "Trussform", "s", tuple(ups)),
    ]


def edit(deployed: ByPulumi, config: Path, seconds: Iterator[float], ups: list[float]) -> float:
    """Returns the time from the begin of `pulumi up` to the first answer, less the server's start.

    Appends the duration of `pulumi up`, which ends when the Deployment is ready.
    """
    version = new_version()
    write_yaml(config, config_of(version, next(seconds)))
    up = ("pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", ENVIRONMENT)
    with ThreadPoolExecutor(1) as pool:
        begun = time.time()
        asking = pool.submit(first_answer, EDITED, version)
        ups.append(cost(up, deployed.project.folder, deployed.engine.environment).seconds)
        answer = asking.result()
    return answer.at - begun - answer.own_start


def edit_alone(seconds: Iterator[float]) -> float:
    """Returns the same time where the Deployment alone changes, without Pulumi."""
    begun = time.time()
    answer = set_variables(SERVER, next(seconds))
    return answer.at - begun - answer.own_start


def new_version() -> str:
    return str(time.time_ns())


def spread(between: tuple[float, float], rounds: int) -> list[float]:
    """Returns a random value of each of `rounds` equal parts of the range, in random order."""
    least, most = between
    width = (most - least) / rounds
    values = [least + width * (part + random.random()) for part in range(rounds)]
    random.shuffle(values)
    return values


def first_answer(server: str, version: str) -> Answer:
    """Asks through the gateway until the version answers; raises `Failed` after two minutes."""
    deadline = time.monotonic() + 120
    with open_client(server, ENVIRONMENT, "envoy") as client:
        client.timeout = httpx.Timeout(5)
        while (seen := ask(client)).get("version") != version:
            if time.monotonic() > deadline:
                raise Failed(f"{server}: version {version} does not answer, but {seen}")
            time.sleep(EVERY)
    return Answer(time.time(), seen["began"], seen["ready"])


def ask(client: httpx.Client) -> dict[str, Any]:
    """Returns the answer of the server, or the error of the gateway."""
    try:
        answer = client.get("/predict")
    except httpx.HTTPError as error:
        return {"error": repr(error)}
    if answer.status_code == 200:
        return answer.json()
    return {"error": f"{answer.status_code} {answer.text[:200]}"}
