"""Images that BuildKit builds."""

import hashlib
import os
from typing import Any

import pytest
from deployed import ByPulumi, kubectl, pods
from pulumi.automation import OpType

READ = "sha256sum < /root/t | cut -d' ' -f1"
HOSTILE = "printf '%s' 'a\nUSER 7\n# \"x\" \\ `y` <<EOF' > /app/hostile"


def test_a_builds_secret_is_read_by_its_commands_and_kept_by_nothing(
    engine: ByPulumi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", _buildx())
    monkeypatch.setenv("BUILDX_BUILDER", "trussform")
    config: dict[str, Any] = {
        "secrets": None,
        "build_commands": [f"{READ} > /app/seen", HOSTILE, "test ! -s /root/other"],
        "build": {"secret_to_path_mapping": {"canary": "/root/t"}},
    }
    server = {"path": "servers/small", "config": config}
    secret = "the canary of a build"
    stage = {"servers": {"built": server}, "builder": "buildkit"}
    engine.up("buildkit", stage, canary=secret)
    (pod,) = pods("models-buildkit", "built")
    inside = ["exec", "-n", "models-buildkit", pod["metadata"]["name"], "--"]
    seen = kubectl(*inside, "cat", "/app/seen").strip()
    assert seen == hashlib.sha256(secret.encode()).hexdigest()
    assert "USER 7" in kubectl(*inside, "cat", "/app/hostile")
    assert not kubectl(*inside, "sh", "-c", "grep -rl 'canary of a build' /root /app; true").strip()
    assert set(engine.stack("buildkit").preview().change_summary) == {OpType.SAME}
    state = engine.engine.folder / "state"
    written = "".join(file.read_text() for file in state.rglob("*") if file.is_file())
    assert "docker-build" in written
    assert secret not in written


def _buildx() -> str:
    folder = os.environ.get("TRUSSFORM_TEST_BUILDX")
    if not folder:
        pytest.skip("no buildx builder: TRUSSFORM_TEST_BUILDX is not set (see CONTRIBUTING.md)")
    return folder
