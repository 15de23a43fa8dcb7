"""The configs and the stage that scanners and Pod Security judge."""

from typing import Any

from support.workspace import ROOT

CONFIGS = sorted(ROOT.glob("examples/servers/*/config.yaml"))
EXAMPLES = {file.parent.name: file.parent for file in CONFIGS}
SERVERS = {**EXAMPLES, "weights": ROOT / "tests/cluster/servers/weights"}
COMMON: dict[str, Any] = {
    "environment": "production",
    "domain": "models.example.com",
    "registry": "registry.example.com/models",
    "tags": "locked",
    "secrets": {"existing": "model-secrets"},
    "weights": {"storage": {"kind": "claim", "access_mode": "ReadWriteMany"}},
}
AS_USER = {"docker_server": {"run_as_user_id": 10001}}
