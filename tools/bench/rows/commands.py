"""Row 4: the commands of Trussform, each in a cold process, against Truss, Helm and kubectl."""

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path

from docs.corpus import configs

from bench.contenders import STACK, STAGE, write_chart, write_project, write_yaml
from bench.figures import ROUNDS, Figure, compare
from bench.processes import cost, modules

ROUNDS_OF = {1: ROUNDS, 61: ROUNDS, 1000: 1}
"""The rounds by the number of configs; 61 are the real configs of truss-examples. The first round
leaves the bytecode that an installed package has."""

TRUSS = """
import sys
from pathlib import Path
from truss.base.truss_config import TrussConfig
for file in map(Path, sys.argv[1:]):
    TrussConfig.from_yaml(file)
"""
IMPORTS = """
import importlib, json, sys
from trussform.cli import start_lean
start_lean()
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
"""

Run = Callable[[], float]


def missing() -> str | None:
    return None if configs() else "there are no real configs; run `make corpus`"


def measure() -> Iterator[Figure]:
    for count, rounds in ROUNDS_OF.items():
        with tempfile.TemporaryDirectory() as folder:
            yield from commands(Path(folder), count, rounds)


def commands(folder: Path, count: int, rounds: int) -> Iterator[Figure]:
    files = copies(folder / "servers", count)
    write_stack(folder, files)
    of = f"{count} configs" if count > 1 else "1 config"
    for what, contenders in {
        f"check, {of}": {
            "trussform check": python(folder, "-m", "trussform.cli", "check", *files),
            "truss: load": python(folder, "-c", TRUSS, *files),
        },
        f"explain, {of}": {"trussform explain": trussform(folder, "explain")},
        f"render, {of}": renderers(folder, count),
    }.items():
        yield from compare(what, "s", contenders, rounds)


def copies(folder: Path, count: int) -> list[Path]:
    """Returns copies of the configs, each in a folder of its own."""
    made: list[Path] = []
    for number, file in enumerate(islice(cycle(configs().values()), count)):
        shutil.copytree(file.parent, folder / f"s{number:04}")
        made.append(folder / f"s{number:04}" / file.name)
    return made


def write_stack(folder: Path, files: Sequence[Path]) -> None:
    servers = {file.parent.name: {"path": str(file)} for file in files}
    secrets = {"existing": "model-secrets"}
    stage = {**STAGE, "registry": "registry.example.com/models", "secrets": secrets}
    write_project(folder, {**stage, "servers": servers})


def renderers(folder: Path, count: int) -> Mapping[str, Run]:
    """Returns `trussform render` and the tools that print as many objects.

    kubectl takes three quarters of a minute for 1,000 configs, and is left out there.
    """
    out = folder / "out"
    words = ("render", "--stack", STACK, "--out", str(out))
    names = [name for name in modules(folder, *words) if name != "__main__"]
    files = sorted(out.glob("*/*.yaml"))
    write_chart(
        folder / "chart", {f"{file.parent.name}-{file.name}": file.read_text() for file in files}
    )
    resources = [str(file.relative_to(folder)) for file in files]
    write_yaml(folder / "kustomization.yaml", {"resources": resources})
    found = {
        "trussform render": python(folder, "-m", "trussform.cli", *words),
        "Python and the imports of render": python(folder, "-c", IMPORTS, json.dumps(names)),
    }
    if shutil.which("helm"):
        found["helm template"] = timed(folder, "helm", "template", "bench", "chart")
    if shutil.which("kubectl") and count < 1000:
        found["kubectl kustomize"] = timed(folder, "kubectl", "kustomize", ".")
    return found


def trussform(folder: Path, command: str) -> Run:
    return python(folder, "-m", "trussform.cli", command, "--stack", STACK)


def python(folder: Path, *words: str | Path) -> Run:
    return timed(folder, sys.executable, *words)


def timed(folder: Path, *words: str | Path) -> Run:
    return lambda: cost(words, folder, {"PYTHONDONTWRITEBYTECODE": ""}).seconds
