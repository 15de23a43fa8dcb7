"""Row 3: what 1,000 servers cost, over 100: seconds, memory, bytes."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from support.programs import engine_missing

from bench.contenders import Project, Pulumi
from bench.figures import Figure
from bench.processes import Cost

FEW, MANY = 100, 1000
ROUNDS = 3
RENDERED = {"render_to": "out", "secrets": {"existing": "none"}}
"""The stage of a stack without a cluster."""
WITHOUT_CHECKPOINTS = {"PULUMI_EXPERIMENTAL": "true", "PULUMI_SKIP_CHECKPOINTS": "true"}
"""Pulumi writes the state once, at the end."""


missing = engine_missing


def measure() -> Iterator[Figure]:
    for count in (FEW, MANY):
        costs, sizes = zip(*(grown(count) for _ in range(ROUNDS)), strict=True)
        for what, unit, values in (
            ("up", "s", [cost.seconds for cost in costs]),
            ("memory of the largest process", "MB", [cost.megabytes for cost in costs]),
            ("state", "MB", sizes),
        ):
            yield Figure(f"{what}, {count:,} servers", "Trussform", unit, tuple(values))


def grown(count: int) -> tuple[Cost, float]:
    """Returns the cost of the first `pulumi up` of so many servers, and the megabytes of state."""
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder) / "project", count, RENDERED)
        program = Pulumi("Trussform", project.folder, **WITHOUT_CHECKPOINTS)
        program.start()
        return program.up(), program.state().stat().st_size / 1e6
