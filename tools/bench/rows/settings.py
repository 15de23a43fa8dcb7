"""Settings of Pulumi that a user has: what each saves in a stack of 40 servers."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.contenders import Project, Pulumi, namespace
from bench.figures import Figure
from bench.rows import stacks
from bench.rows.growth import WITHOUT_CHECKPOINTS

COUNT = 40
VARIANTS = {
    "the defaults": {},
    "without checkpoints": WITHOUT_CHECKPOINTS,
    "--parallel 100": {"PULUMI_PARALLEL": "100"},
    "200 requests a second": {"PULUMI_K8S_CLIENT_QPS": "200", "PULUMI_K8S_CLIENT_BURST": "400"},
}
"""The environment of each variant. The API server is a real one, and the state is in a folder."""

missing = stacks.missing


def measure() -> Iterator[Figure]:
    """Yields the seconds of two operations for each variant."""
    with tempfile.TemporaryDirectory() as folder, namespace():
        programs = [program(Path(folder) / str(at), who, env)
                    for at, (who, env) in enumerate(VARIANTS.items())]  # fmt: skip
        for each in programs:
            operations = each.operations()
            for what in ("up", "refresh"):
                seconds = operations[what]().seconds
                yield Figure(f"{what}, {COUNT} servers", each.name, "s", (seconds,))
            each.end()


def program(folder: Path, who: str, env: dict[str, str]) -> Pulumi:
    made = Pulumi(who, Project(folder, COUNT).folder, **env)
    made.start()
    return made
