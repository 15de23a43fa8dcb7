"""Settings of Pulumi that a user has: what each saves in a stack of 40 servers."""

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from bench.contenders import Project, Pulumi, namespace
from bench.figures import Figure, in_turns
from bench.rows import stacks
from bench.rows.growth import WITHOUT_CHECKPOINTS

COUNT, ROUNDS = 40, 1
VARIANTS = {
    "the defaults": {},
    "without checkpoints": WITHOUT_CHECKPOINTS,
    "compressed state": {"PULUMI_DIY_BACKEND_GZIP": "true"},
    "parallel diffs": {"PULUMI_PARALLEL_DIFF": "true"},
    "--parallel 100": {"PULUMI_PARALLEL": "100"},
}
"""The environment of each variant. The API server is a real one, and the state is in a folder."""

missing = stacks.missing


def measure() -> Iterator[Figure]:
    """Yields the seconds of `pulumi up`, `preview` and `destroy` for each variant."""
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, namespace():
        programs = [program(Path(folder) / str(at), who, env)
                    for at, (who, env) in enumerate(VARIANTS.items())]  # fmt: skip
        for turn in in_turns(programs, ROUNDS):
            for each in turn:
                operations = each.operations()
                for what in ("up", "preview without changes", "destroy"):
                    seconds[f"{what}, {COUNT} servers", each.name].append(
                        operations[what]().seconds
                    )
    for (what, who), values in seconds.items():
        yield Figure(what, who, "s", tuple(values))


def program(folder: Path, who: str, env: dict[str, str]) -> Pulumi:
    made = Pulumi(who, Project(folder, COUNT).folder, **env)
    made.start()
    return made
