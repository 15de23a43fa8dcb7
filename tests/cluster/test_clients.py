"""The libraries that call Baseten, unchanged but for the URL and the key, through Envoy Gateway.

Each is a program of real_clients/, run in the environment of these libraries; clients.yaml says
what it should see. Every client, check and spelling of a key is a test of its own.
"""

import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from support.clients import DOMAIN, open_channel
from support.cluster import cluster, needed
from support.deployed import ByPulumi, destroy
from support.programs import wait_for
from support.routes import ENVOY, KEY, OK, OTHER_KEY, call, gateway, named

FOLDER = Path(__file__).parent / "real_clients"
LOCK = (FOLDER / "requirements.lock").read_text()
LISTED: list[dict[str, Any]] = yaml.safe_load((FOLDER / "clients.yaml").read_text())
CLIENTS = {client["name"]: client for client in LISTED}
WRONG = "of-somebody-else"
SPELLINGS: dict[str, dict[str, str]] = {
    "bearer": {"authorization": "Bearer {key}"},
    "api-key": {"authorization": "Api-Key {key}"},
    "baseten-bearer": {"baseten-authorization": "Bearer {key}"},
    "baseten-api-key": {"baseten-authorization": "Api-Key {key}"},
    "baseten-first": {
        "baseten-authorization": "Api-Key {key}",
        "authorization": f"Bearer {WRONG}",
    },
}
ECHO = {"path": "servers/echo", "config": {"secrets": None}}
SERVERS = {
    "production": {"socket": ECHO, "calls": {"path": "servers/grpc"}},
    "development": {"socket": ECHO},
}
ALIASES = {
    "chat": ("/production/predict", "/predict", "/development/predict"),
    "socket": ("/production/websocket", "/websocket", "/development/websocket"),
}
Saw = Callable[[str], dict[str, Any]]


def keys(client: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Returns the headers of each key that the client can send, by the name of the key."""
    found: dict[str, dict[str, str]] = {"absent": {}} if client.get("absent") else {}
    for name in client["keys"]:
        for suffix, value in (("", KEY), ("-wrong", WRONG)):
            spelled = SPELLINGS[name].items()
            found[f"{name}{suffix}"] = {header: text.format(key=value) for header, text in spelled}
    return found


CASES = [
    pytest.param(client, check, key, id=f"{client}-{check}-{key}")
    for client in CLIENTS
    for check in CLIENTS[client]["checks"]
    for key in keys(CLIENTS[client])
]


@pytest.fixture(scope="module")
def python() -> str:
    """The interpreter of the environment of the clients."""
    return str(needed(cluster().clients_python, "clients_python"))


@pytest.fixture(scope="module")
def urls(python: str, engine: ByPulumi) -> Iterator[dict[str, str]]:
    """The URLs of three servers, in the stages `production` and `development`."""
    envoy = httpx.URL(gateway("envoy"))
    hosts = {name: f"{name}.{DOMAIN}" for name in ("chat", "socket", "calls")}
    stacks = {stage: f"clients-{stage}" for stage in SERVERS}
    with ExitStack() as ended:
        ended.callback(destroy, engine, *stacks.values())
        with ThreadPoolExecutor() as pool:
            futures = [pool.submit(deploy, engine, name, stage) for stage, name in stacks.items()]
            for future in futures:
                future.result()
        for host in hosts.values():
            ended.enter_context(named(envoy.host, host))
        wait_for_routes(envoy)
        yield {name: f"http://{host}:{envoy.port or 80}" for name, host in hosts.items()}


def deploy(engine: ByPulumi, stack: str, environment: str) -> None:
    chat = {"config": {"environment_variables": {"STAGE": environment}}, "path": "servers/openai"}
    stage = {
        "environment": environment,
        "route": ENVOY,
        "auth": {"kind": "api-key", "keys": ["ci", "dashboard"]},
        "servers": {"chat": chat, **SERVERS[environment]},
    }
    engine.up(stack, stage, ci=KEY, dashboard=OTHER_KEY)


def wait_for_routes(envoy: httpx.URL) -> None:
    """The gateway hears of each route by itself, and no deployment waits for that."""

    def there(server: str, path: str) -> bool:
        headers = {"Host": f"{server}.{DOMAIN}", "Authorization": f"Api-Key {KEY}"}
        return httpx.get(envoy.join(path), headers=headers).status_code == 200

    for stage, servers in SERVERS.items():
        for server in ("chat", *servers):
            if server != "calls":
                path = f"/environments/{stage}/predict"
                wait_for(lambda s=server, p=path: there(s, p), f"{server} has {path}")
    with open_channel("calls", "envoy") as channel:
        wait_for(lambda: call(channel, f"Api-Key {KEY}") == OK, "calls answers")
    for server, paths in ALIASES.items():
        for path in paths:
            # One that is missing fails its own checks, and no others.
            with suppress(AssertionError):
                wait_for(lambda s=server, p=path: there(s, p), path, 5)


@pytest.fixture(scope="module")
def saw(python: str, urls: dict[str, str]) -> Saw:
    """Runs the program of a client, once, and returns what it saw by key and check."""

    @cache
    def run(name: str) -> dict[str, Any]:
        client = CLIENTS[name]
        program = FOLDER / f"{client.get('program', f'{name}_client')}.py"
        given = json.dumps({"urls": urls, "keys": keys(client)})
        done = subprocess.run(
            [python, str(program)], input=given, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert f"{client['package']}=={found['version']} " in LOCK
        return found["saw"]

    return run


@pytest.mark.parametrize(("client", "check", "key"), CASES)
def test_a_client_of_baseten_works_by_its_key_alone(
    saw: Saw, client: str, check: str, key: str
) -> None:
    result = saw(client)[key][check]
    about = CLIENTS[client]["checks"][check]
    right = key in CLIENTS[client]["keys"]
    expected = about["saw"] if right else about.get("refused", CLIENTS[client]["refused"])
    assert result["saw"] == expected, result.get("message", "it raised nothing")
