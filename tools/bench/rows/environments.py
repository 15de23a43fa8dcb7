"""Environments of Trussform on the cluster of the tests, for the rows that send requests."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pulumi.automation import CommandError
from support.deployed import ByPulumi
from support.programs import engine_missing
from support.routes import ENVOY
from testbed import settings

from bench.contenders import write_yaml
from bench.processes import Failed, absent

STAGE: dict[str, Any] = {"route": ENVOY, "request_timeout": None}
"""Envoy Gateway, and no limit on a request, which is the default of a stage."""


def missing(*programs: str) -> str | None:
    """Returns what this machine lacks: the engine, one of the programs, or a cluster with Envoy."""
    if reason := engine_missing() or absent("kubectl", *programs):
        return reason
    try:
        file = settings.file()
    except FileNotFoundError as error:
        return str(error)
    if file is None:
        return "cluster.yaml does not exist; run `make cluster`"
    if "envoy" not in settings.read(file).gateways:
        return "cluster.yaml has no `gateways.envoy`"
    return None


@contextmanager
def environment(name: str) -> Generator[ByPulumi]:
    """Yields the engine in a temporary folder, and destroys the environment at the end.

    Raises:
        Failed: if the block, the deploy or the end of it fails.
    """
    with tempfile.TemporaryDirectory(prefix="trussform-bench-") as folder, failures():
        deployed = ByPulumi(Path(folder))
        try:
            yield deployed
        finally:
            deployed.destroy(name)


@contextmanager
def failures() -> Generator[None]:
    """Turns the failures of the tests' helpers and of the engine into `Failed`."""
    try:
        yield
    except (AssertionError, CommandError) as error:
        raise Failed(str(error)) from error


def write_server(deployed: ByPulumi, name: str, config: dict[str, Any]) -> Path:
    """Writes a config.yaml into the project; returns the file."""
    file = deployed.project.folder / "servers" / name / "config.yaml"
    file.parent.mkdir(exist_ok=True)
    write_yaml(file, config)
    return file
