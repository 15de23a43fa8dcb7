"""Snapshots of `--help` and of the decisions that `trussform explain` shows.

`pytest tests/messages --inline-snapshot=fix` accepts the new words.
"""

from typing import Any

import pytest
from inline_snapshot import external_file
from messages.cases import ENVOY, NGINX
from support.workspace import ROOT, STAGE, plans_of
from trussform.cli.app import app
from trussform.cli.explain import rows
from trussform.problem import Location
from trussform.source import Source
from trussform.stack_file import Stack
from trussform.stage import Stage
from typer import rich_utils
from typer.testing import CliRunner

COMMANDS = ("init", "check", "render", "explain", "doctor", "lock", "schema")
EXAMPLES = sorted(ROOT.glob("examples/servers/*/config.yaml"))
STAGES: dict[str, dict[str, Any]] = {
    "keys": {
        "route": ENVOY,
        "auth": {"kind": "api-key", "keys": ["ci"], "rotating": {"ci": "ci_next"}},
        "replicas": 3,
        "spare_gpus": 1,
        "ingress_from": [{"namespace": "gateways"}, {"cidr": "10.0.0.0/8"}],
    },
    "forward": {
        "route": {**NGINX, "tls": {"issuer": "letsencrypt"}},
        "auth": {"kind": "forward", "service": "guard", "namespace": "auth"},
        "secrets": {"store": "vault"},
        "request_timeout": 30,
        "weights": {"storage": {"kind": "node"}},
    },
    "inside": {
        "route": {"kind": "none"},
        "auth": None,
        "secrets": {"existing": "mine"},
        "replicas": 0,
        "tags": "locked",
    },
}


def test_the_help_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    # The environment sets these at the first import: a CI's colours, a terminal's width.
    settings = {"MAX_WIDTH": 100, "FORCE_TERMINAL": None, "COLOR_SYSTEM": None}
    for name, value in settings.items():
        monkeypatch.setattr(rich_utils, name, value)
    pages = [CliRunner().invoke(app, [*command, "--help"]) for command in ((), *zip(COMMANDS))]
    assert {page.exit_code for page in pages} == {0}
    lines = "\n".join(page.stdout for page in pages).splitlines()
    assert "\n".join(line.rstrip() for line in lines) == external_file("snapshots/help.txt")


@pytest.mark.parametrize("name", STAGES)
def test_the_decisions_about_the_examples_are_as_they_were(name: str) -> None:
    stage = {key: value for key, value in {**STAGE, **STAGES[name]}.items() if value is not None}
    source = Source(stage, Location("stage"))
    stack = Stack(Stage.model_validate(stage), source, ROOT, ("ci", "ci_next", "hf_access_token"))
    plans, _ = plans_of(stack, EXAMPLES)
    lines = [
        f"{server}: {decision}: {value}\n    {reason}\n"
        for server, plan in plans.items()
        for decision, value, reason in rows(plan)
    ]
    assert "".join(lines) == external_file(f"snapshots/explain_{name}.txt")
