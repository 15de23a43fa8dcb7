"""The files of a test: the project's own, and small configs and stages made on the spot."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from docs.corpus import configs
from trussform import planning, stack_file
from trussform.cli.render import objects
from trussform.config import Config, ConfigFolder
from trussform.manifests import Manifest
from trussform.plan import UNKNOWN, Given, Plan, build_plan
from trussform.problem import Location, Problem
from trussform.source import Source, is_mapping
from trussform.stack_file import Stack
from trussform.stage import Stage

ROOT = Path(__file__).parents[2]
CORPUS = list(configs().values())
"""Real configs, if there are any: see tools/docs/corpus.py."""

CONFIG: dict[str, Any] = {
    "base_image": {"image": "python:3.11-slim"},
    "docker_server": {
        "start_command": "serve --port 8000",
        "server_port": 8000,
        "predict_endpoint": "/predict",
        "readiness_endpoint": "/ready",
        "liveness_endpoint": "/live",
    },
}

STAGE: dict[str, Any] = {
    "environment": "dev",
    "namespace": "models",
    "domain": "models.example.com",
    "registry": "registry.example.com/models",
    "route": {"kind": "gateway", "name": "public", "namespace": "gateways"},
    "auth": "none",
}


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The base with changes in it; what is of another `kind` is changed whole."""
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        if is_mapping(value) and is_mapping(old):
            other = value.get("kind", old.get("kind")) != old.get("kind")
            value = value if other else merged(old, value)
        result[key] = value
    return result


def plans_of(stack: Stack, paths: Sequence[Path] = ()) -> tuple[dict[str, Plan], list[Problem]]:
    """Returns the plans of the stack's servers by name, and all problems."""
    planned = planning.plan_stack(stack, paths)
    return planned.plans, planned.problems


def plan_of(config: Config, stage: Stage, name: str = "server") -> Plan:
    """Returns the plan of a config without files, at any place in a stage."""
    folder = ConfigFolder(config, Source(CONFIG, Location("config.yaml")), {}, False, (), ())
    return build_plan(Given(folder, stage.for_server(name), name, UNKNOWN, ()))


def deployment(plan: Plan) -> Manifest:
    """Returns the Deployment of a server."""
    (made,) = [manifest for manifest in objects(plan) if manifest["kind"] == "Deployment"]
    return made


class Workspace:
    """A project folder with one server, `server`, whose files a test changes as it likes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "Pulumi.yaml").write_text("name: trussform\nruntime: python\n")

    @property
    def config(self) -> Path:
        return self.folder / "server" / "config.yaml"

    @property
    def stack(self) -> Path:
        return self.folder / "stacks" / "Pulumi.dev.yaml"

    def write_config(self, changes: dict[str, Any] | str | None = None) -> Path:
        self.config.parent.mkdir(exist_ok=True)
        text = (
            changes if isinstance(changes, str) else yaml.safe_dump(merged(CONFIG, changes or {}))
        )
        self.config.write_text(text)
        return self.config

    def write_stack(self, changes: dict[str, Any] | None = None, **config: Any) -> Path:
        stage = merged({**STAGE, "servers": {"server": {"path": "server"}}}, changes or {})
        self.stack.parent.mkdir(exist_ok=True)
        self.stack.write_text(yaml.safe_dump({"config": {"trussform:stage": stage, **config}}))
        return self.stack

    def plan(
        self, config: dict[str, Any] | None = None, stage: dict[str, Any] | None = None
    ) -> tuple[Plan, list[Problem]]:
        self.write_config(config)
        plans, problems = plans_of(stack_file.read_stack(self.write_stack(stage)))
        assert plans, problems
        return plans["server"], problems
