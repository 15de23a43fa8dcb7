"""Row 3: what 1,000 servers cost, over 100: seconds, memory, bytes."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from support.programs import engine_missing

from bench.contenders import Project, Pulumi
from bench.figures import Figure
from bench.processes import Cost

FEW, MANY = 100, 1000
RENDERED = {"render_to": "out", "secrets": {"existing": "none"}}
"""The stage of a stack without a cluster."""
WITHOUT_CHECKPOINTS = {"PULUMI_EXPERIMENTAL": "true", "PULUMI_SKIP_CHECKPOINTS": "true"}
"""Pulumi writes the state once, at the end."""


missing = engine_missing


def measure() -> Iterator[Figure]:
    for count, rounds in ((FEW, 3), (MANY, 1)):
        with tempfile.TemporaryDirectory() as folder:
            project = Project(Path(folder) / "project", count, RENDERED)
            yield from growth(project, count, rounds)


def growth(project: Project, count: int, rounds: int) -> Iterator[Figure]:
    """Yields the seconds, the memory and the state of `pulumi up` for this project."""
    program = Pulumi("Trussform", project.folder, **WITHOUT_CHECKPOINTS)
    program.start()
    costs: list[Cost] = []
    sizes: list[float] = []
    for _ in range(rounds):
        costs.append(program.up())
        sizes.append(program.state().stat().st_size / 1e6)
        program.destroy()
    for what, unit, values in (
        ("up", "s", [cost.seconds for cost in costs]),
        ("memory of the largest process", "MB", [cost.megabytes for cost in costs]),
        ("state", "MB", sizes),
    ):
        yield Figure(f"{what}, {count:,} servers", program.name, unit, tuple(values))
