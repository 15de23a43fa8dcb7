"""Images as the real builders make them."""

import hashlib
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi.automation import OpType
from support.builders import READ, use_buildx
from support.deployed import ByPulumi, kubectl
from support.stores import Stores

HOSTILE = "printf '%s' 'a\nUSER 7\n# \"x\" \\ `y` <<EOF' > /app/hostile"
LOCKED = """\
[project]
name = "locked"
version = "1"
requires-python = ">=3.9"
dependencies = ["iniconfig<2.1"]
"""


@pytest.fixture(params=["docker", "buildkit"])
def builder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "buildkit":
        use_buildx(monkeypatch)
    return request.param


@pytest.fixture
def url() -> Iterator[str]:
    """Of a file that builds can reach."""
    inspect = ["docker", "network", "inspect", "bridge"]
    bridge = json.loads(subprocess.run(inspect, capture_output=True, check=True).stdout)
    stores = Stores(bridge[0]["IPAM"]["Config"][0]["Gateway"])
    stores.files["outside.txt"] = b"from outside"
    yield f"{stores.url}/web/outside.txt"
    stores.close()


def test_what_a_config_declares_is_in_its_image(engine: ByPulumi, builder: str, url: str) -> None:
    _write_truss(engine.project.folder, url)
    environment = f"built-by-{builder}"
    stage: dict[str, Any] = {"servers": {"full": {"path": "servers/full"}}, "builder": builder}
    engine.up(environment, stage)

    def inside(*command: str) -> str:
        return _inside(environment, "full", *command)

    assert inside("tree", "--version").startswith("tree v")
    assert inside("python3", "-c", "import iniconfig; print(iniconfig.__name__)") == "iniconfig"
    assert inside("cat", "/app/data/inside.txt") == "from inside"
    assert inside("cat", "/app/data/far/outside.txt") == "from outside"
    assert inside("cat", "/packages/shared/__init__.py") == "SHARED = 1"
    assert inside("cat", "/app/argument") == "an 'argument' with $HOME"
    assert inside("id", "-u") == "7001"
    inside("sh", "-c", "touch /app/mine /tmp/mine")
    assert set(engine.stack(environment).preview().change_summary) == {OpType.SAME}


def _write_truss(project: Path, url: str) -> None:
    """A server that has all that makes Trussform build an image."""
    truss = project / "servers/full"
    (truss / "data").mkdir(parents=True, exist_ok=True)
    (truss / "data/inside.txt").write_text("from inside")
    (truss / "pyproject.toml").write_text(LOCKED)
    subprocess.run([sys.executable, "-m", "uv", "lock", "--quiet"], cwd=truss, check=True)
    (project / "servers/beside/shared").mkdir(parents=True, exist_ok=True)
    (project / "servers/beside/shared/__init__.py").write_text("SHARED = 1")
    server = "import http.server as h; h.test(h.SimpleHTTPRequestHandler, port=9000)"
    config: dict[str, Any] = {
        "base_image": {"image": "python:3.11-slim"},
        "docker_server": {
            "start_command": shlex.join(["python3", "-c", server]),
            "readiness_endpoint": "/",
            "liveness_endpoint": "/",
            "predict_endpoint": "/",
            "server_port": 9000,
            "run_as_user_id": 7001,
        },
        "resources": {"cpu": "50m", "memory": "64Mi"},
        "requirements_file": "./uv.lock",
        "system_packages": ["tree"],
        "external_package_dirs": ["../beside"],
        "external_data": [{"url": url, "local_data_path": "far/outside.txt"}],
        "build": {"arguments": {"GIVEN": "an 'argument' with $HOME"}},
        "build_commands": ['printf "%s" "$GIVEN" > /app/argument'],
        "model_name": "full",
    }
    (truss / "config.yaml").write_text(yaml.safe_dump(config))


def test_a_builds_secret_is_read_by_its_commands_and_kept_by_nothing(
    engine: ByPulumi, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_buildx(monkeypatch)
    config: dict[str, Any] = {
        "secrets": None,
        "build_commands": [f"{READ} > /app/seen", HOSTILE, "test ! -s /root/other"],
        "build": {"secret_to_path_mapping": {"canary": "/root/t"}},
    }
    server = {"path": "servers/small", "config": config}
    secret = "the canary of a build"
    stage = {"servers": {"built": server}, "builder": "buildkit"}
    engine.up("buildkit", stage, canary=secret)

    def inside(*command: str) -> str:
        return _inside("buildkit", "built", *command)

    assert inside("cat", "/app/seen") == hashlib.sha256(secret.encode()).hexdigest()
    assert "USER 7" in inside("cat", "/app/hostile")
    assert not inside("sh", "-c", "grep -rl 'canary of a build' /root /app; true")
    assert set(engine.stack("buildkit").preview().change_summary) == {OpType.SAME}
    state = engine.engine.folder / "state"
    written = "".join(file.read_text() for file in state.rglob("*") if file.is_file())
    assert "docker-build" in written
    assert secret not in written


def _inside(environment: str, server: str, *command: str) -> str:
    """Returns the output of a command in the server's container."""
    where = ("-n", f"models-{environment}", f"deployment/{server}")
    return kubectl("exec", *where, "--", *command).strip()
