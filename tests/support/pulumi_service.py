"""A stand-in for Pulumi Cloud: one user, the state of stacks, and environments (ESC).

The engine takes environments from its service alone. This one answers what the engine asks for,
and evaluates `imports`, `pulumiConfig` and `fn::secret`.
"""

import gzip
import json
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import yaml
from trussform.source import is_mapping

USER = "tester"
_STACK = r"/api/stacks/(?P<owner>[^/]+)/(?P<project>[^/]+)/(?P<name>[^/]+)"
_RUN = _STACK + r"/(?:preview|update|destroy|refresh)"
EMPTY: dict[str, Any] = {"version": 3, "deployment": {}}
UPDATE: dict[str, Any] = {
    "kind": "update",
    "result": "succeeded",
    "startTime": 0,
    "endTime": 0,
    "version": 1,
    "message": "",
    "environment": {},
    "config": {},
}
"""The whole history of each stack."""


def _always(answer: Any) -> Callable[..., Any]:
    def respond(**_: Any) -> Any:
        return answer

    return respond


class Service:
    """The answers to the engine, and what it stores."""

    def __init__(self, journal: bool = False) -> None:
        """With a journal, the engine sends its steps, which nothing here reads, and no state."""
        self.url = ""
        self.environments: dict[str, Any] = {}
        """The definitions by name: `models/dev`."""
        self.opened: dict[str, Any] = {}
        self.stacks: dict[str, dict[str, Any]] = {}
        self.states: dict[str, dict[str, Any]] = {}
        run = {"version": 1, "token": "lease", "journalVersion": int(journal)}
        self.routes: list[tuple[str, str, Callable[..., Any]]] = [
            ("GET", "/api/user", _always({"githubLogin": USER, "organizations": []})),
            ("GET", "/api/user/organizations/default", _always({"GitHubLogin": USER})),
            ("GET", "/api/capabilities", _always({"capabilities": []})),
            ("HEAD", "/api/stacks/[^/]+/[^/]+", _always({})),
            ("POST", "/api/stacks/(?P<owner>[^/]+)/(?P<project>[^/]+)", self.create),
            ("GET", _STACK, self.stack),
            ("GET", _STACK + "/export", self.state),
            ("PATCH", _STACK + "/tags", _always({})),
            ("GET", _STACK + "/updates", _always({"updates": [UPDATE]})),
            ("GET", _STACK + "/updates/latest", _always({"info": {"version": 1}})),
            ("POST", _STACK + "/decrypt/log-batch-decryption", _always({})),
            ("POST", _RUN, _always({"updateID": "run"})),
            ("POST", _RUN + "/run", _always(run)),
            ("GET", _RUN + "/run", _always({"status": "succeeded", "events": []})),
            ("PATCH", _RUN + "/run/checkpoint", self.store),
            ("PATCH", _RUN + "/run/checkpointverbatim", self.store_verbatim),
            ("PATCH", _RUN + "/run/journalentries", _always({})),
            ("POST", _RUN + "/run/(?:events/batch|renew_lease|complete)", _always({})),
            ("POST", "/api/esc/environments/[^/]+/yaml/open", self.open),
            ("GET", "/api/esc/environments/[^/]+/yaml/open/(?P<session>.+)", self.value),
        ]

    def answer(self, method: str, path: str, body: bytes) -> Any:
        for verb, pattern, respond in self.routes:
            if verb == method and (found := re.fullmatch(pattern, path)):
                return respond(**found.groupdict(), body=body)
        return None

    def create(self, owner: str, project: str, body: bytes) -> Any:
        name = json.loads(body)["stackName"]
        about = {"orgName": owner, "projectName": project, "stackName": name}
        self.stacks[f"{project}/{name}"] = {**about, "version": 0, "tags": {}, "id": name}
        return {}

    def stack(self, project: str, name: str, **_: Any) -> Any:
        return self.stacks.get(f"{project}/{name}")

    def state(self, project: str, name: str, **_: Any) -> Any:
        return self.states.get(f"{project}/{name}", EMPTY)

    def store(self, project: str, name: str, body: bytes, **_: Any) -> Any:
        sent = json.loads(body)
        self.states[f"{project}/{name}"] = {
            "version": sent["version"],
            "deployment": sent["deployment"],
        }
        return {}

    def store_verbatim(self, project: str, name: str, body: bytes, **_: Any) -> Any:
        self.states[f"{project}/{name}"] = json.loads(body)["untypedDeployment"]
        return {}

    def open(self, body: bytes) -> Any:
        values: dict[str, Any] = {}
        for name in yaml.safe_load(body)["imports"]:
            values |= self.environments[name]["values"]
        session = str(len(self.opened))
        self.opened[session] = {name: _evaluated(value) for name, value in values.items()}
        return {"id": session}

    def value(self, session: str, **_: Any) -> Any:
        return {"properties": self.opened[session]}


def _evaluated(value: Any, secret: bool = False) -> Any:
    """Returns a value as the service gives it, with its marks of secrets."""
    if is_mapping(value) and "fn::secret" in value:
        return _evaluated(value["fn::secret"], secret=True)
    if is_mapping(value):
        inner: Any = {name: _evaluated(part, secret) for name, part in value.items()}
    elif isinstance(value, list):
        inner = [_evaluated(part, secret) for part in value]  # pyright: ignore
    else:
        inner = value
    return {"value": inner, "secret": secret, "trace": {}}


@contextmanager
def pulumi_service(journal: bool = False) -> Generator[Service]:
    """Serves on loopback until the end of the block."""
    service = Service(journal)

    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            path = self.path.partition("?")[0]
            found = service.answer(self.command, path, body)
            text = json.dumps(found if found is not None else {"code": 404, "message": "none"})
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text.encode())

        do_GET = do_POST = do_PATCH = do_HEAD = do_PUT = do_DELETE = do

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield service
    finally:
        server.shutdown()
