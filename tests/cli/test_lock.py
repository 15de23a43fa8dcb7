"""`trussform lock` against a registry that answers over real HTTP on this machine."""

import base64
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from support.workspace import Workspace
from trussform.cli.app import app
from typer.testing import CliRunner, Result

OLD, NEW = "sha256:" + "1" * 64, "sha256:" + "2" * 64


USER = ("puller", "let me in")


def basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


class FakeRegistry(BaseHTTPRequestHandler):
    """Has `team/server:1` and `team/fetch:1`, whose tags point at `digest`.

    With `asks`, it wants a login: `Basic`, or `Bearer`, for a token that it gives for the login.
    """

    digest = OLD
    asks = ""

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        scope = query == {"service": ["fake"], "scope": ["repository:team/server:pull"]}
        login = self.headers["Authorization"] == f"Basic {basic(*USER)}"
        self.send_response(200 if scope and login else 403)
        self.end_headers()
        self.wfile.write(json.dumps({"token": "granted"}).encode())

    def asked(self) -> str | None:
        """Returns the challenge of a request without the right login."""
        realm = f'realm="http://{self.headers["Host"]}/token",service="fake"'
        bearer = f'Bearer {realm},scope="repository:team/server:pull"'
        challenge = {"": None, "Basic": "Basic realm=fake", "Bearer": bearer}[self.asks]
        right = {"Basic": f"Basic {basic(*USER)}", "Bearer": "Bearer granted"}.get(self.asks)
        return None if self.headers["Authorization"] == right else challenge

    def do_HEAD(self) -> None:
        if challenge := self.asked():
            self.send_response(401)
            self.send_header("WWW-Authenticate", challenge)
            self.end_headers()
            return
        known = self.path in ("/v2/team/server/manifests/1", "/v2/team/fetch/manifests/1")
        self.send_response(200 if known else 404)
        if known and "application/vnd.oci.image.index.v1+json" in self.headers["Accept"]:
            self.send_header("Docker-Content-Digest", self.digest)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeRegistry)
    Thread(target=server.serve_forever, daemon=True).start()
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text(json.dumps({"auths": {}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()


def log_in(tmp_path: Path, registry: str, password: str) -> None:
    auths = {registry: {"auth": basic(USER[0], password)}}
    (tmp_path / "docker" / "config.json").write_text(json.dumps({"auths": auths}))


@pytest.mark.parametrize("asks", ["Basic", "Bearer"])
def test_lock_uses_the_login_of_docker(
    workspace: Workspace, registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asks: str
) -> None:
    monkeypatch.setattr(FakeRegistry, "asks", asks)
    image = f"{registry}/team/server:1"
    assert "cannot be looked up" in run_lock(workspace, image).stderr
    log_in(tmp_path, registry, "wrong")
    assert "cannot be looked up" in run_lock(workspace, image).stderr
    log_in(tmp_path, registry, USER[1])
    assert f"{image}: {OLD}\n" in run_lock(workspace, image).stdout


def run_lock(workspace: Workspace, image: str) -> Result:
    workspace.write_config({"base_image": {"image": image}})
    stack = workspace.write_stack({"tags": "locked"})
    return CliRunner().invoke(app, ["lock", "--stack", str(stack)])


def test_lock_writes_the_digests_and_says_what_moved(
    workspace: Workspace, registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = f"{registry}/team/server:1"
    first = run_lock(workspace, image)
    assert first.exit_code == 0, first.output
    lock_file = workspace.stack.with_name("dev.lock.yaml")
    assert yaml.safe_load(lock_file.read_text()) == {"digests": {image: OLD}}
    assert f"{image}: {OLD}\n" in first.stdout

    monkeypatch.setattr(FakeRegistry, "digest", NEW)
    second = run_lock(workspace, image)
    assert yaml.safe_load(lock_file.read_text()) == {"digests": {image: NEW}}
    assert f"{image}: {NEW} (was {OLD})" in second.stdout


def test_lock_writes_the_digest_of_what_fetches_weights(
    workspace: Workspace, registry: str
) -> None:
    image, fetcher = f"{registry}/team/server:1", f"{registry}/team/fetch:1"
    weight = {"source": "hf://o/m@main", "mount_location": "/models/a"}
    workspace.write_config({"base_image": {"image": image}, "weights": [weight]})
    stack = workspace.write_stack({"tags": "locked", "weights": {"image": fetcher}})
    assert CliRunner().invoke(app, ["lock", "--stack", str(stack)]).exit_code == 0
    lock_file = workspace.stack.with_name("dev.lock.yaml")
    assert yaml.safe_load(lock_file.read_text()) == {"digests": {image: OLD, fetcher: OLD}}


def test_an_image_that_is_not_there_leaves_the_lock_file_alone(
    workspace: Workspace, registry: str
) -> None:
    run_lock(workspace, f"{registry}/team/server:1")
    lock_file = workspace.stack.with_name("dev.lock.yaml")
    before = lock_file.read_text()
    result = run_lock(workspace, f"{registry}/team/other:1")
    assert result.exit_code == 1
    assert "cannot be looked up: the registry answers 404" in result.stderr
    assert lock_file.read_text() == before


@pytest.mark.parametrize("digest", ["sha256:1", f"{NEW}\x1b[2J", "sha512:" + "1" * 128, "latest"])
def test_a_registry_that_answers_with_no_digest_locks_nothing(
    workspace: Workspace, registry: str, monkeypatch: pytest.MonkeyPatch, digest: str
) -> None:
    monkeypatch.setattr(FakeRegistry, "digest", digest)
    result = run_lock(workspace, f"{registry}/team/server:1")
    assert result.exit_code == 1
    assert "cannot be looked up: the registry does not answer with a digest" in result.stderr
    assert "\x1b" not in result.output
    assert not workspace.stack.with_name("dev.lock.yaml").exists()


def test_a_stage_that_follows_its_tags_has_nothing_to_lock(workspace: Workspace) -> None:
    workspace.write_config()
    stack = workspace.write_stack()
    result = CliRunner().invoke(app, ["lock", "--stack", str(stack)])
    assert result.exit_code == 1
    assert "the stage has `tags: follow`, so there is nothing to lock" in result.stderr


def test_a_registry_that_does_not_answer_is_told_at_once(workspace: Workspace) -> None:
    result = run_lock(workspace, "127.0.0.1:1/team/server:1")
    assert result.exit_code == 1
    assert result.stderr.count("cannot be looked up") == 1
    assert "looking up 127.0.0.1:1/team/server:1 …" in result.stderr
