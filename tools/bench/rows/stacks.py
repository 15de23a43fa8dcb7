"""Rows 1 and 2: the operations on a stack of 1, 10 and 100 servers, against other tools."""

import json
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from support.programs import engine_missing

from bench.contenders import (
    KINDS,
    NAMESPACE,
    ByHand,
    Contender,
    Helm,
    Kubectl,
    Project,
    Pulumi,
    Servers,
    Terraform,
    kubectl,
    namespace,
)
from bench.figures import ROUNDS, Figure, in_turns
from bench.processes import Failed, absent

SIZES = {1: ROUNDS, 10: ROUNDS, 100: 1}
"""The rounds by the number of servers. Five of the largest would take an hour and a half."""

EDIT = "up with one edit"
BY_HAND = "Pulumi by hand, components"
FLAT = "Pulumi by hand, flat"
TRUSSFORM = "Trussform"


def missing() -> str | None:
    if reason := engine_missing() or absent("kubectl"):
        return reason
    if subprocess.run(["kubectl", "version"], capture_output=True, check=False).returncode:
        return "no cluster answers; run `make cluster`"
    return None


def measure() -> Iterator[Figure]:
    for count, rounds in SIZES.items():
        with tempfile.TemporaryDirectory() as folder:
            yield from stacks(Path(folder), count, rounds)


def stacks(folder: Path, count: int, rounds: int) -> Iterator[Figure]:
    """Yields the seconds of each operation."""
    project = Project(folder / "trussform", count)
    contenders = present(folder)
    versions = {mode: rendered(project, mode) for mode in ("second", "first")}
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    with namespace():
        for contender in contenders:
            contender.take(versions["first"])
            contender.start()
        for turn in in_turns(contenders, rounds):
            seen: dict[str, str] = {}
            for contender in turn:
                for operation, taken in one_round(contender, project, versions, seen):
                    seconds[f"{operation}, {counted(count)}", contender.name].append(taken)
            check_alike(seen)
    for (what, who), values in seconds.items():
        yield Figure(what, who, "s", tuple(values))


def rendered(project: Project, mode: str) -> Servers:
    """Returns the objects of the project with that value of the variable."""
    project.edit(mode)
    return project.servers()


def present(folder: Path) -> list[Contender]:
    """Returns the contenders whose programs are on this machine."""
    found: list[Contender] = [
        Pulumi(TRUSSFORM, folder / "trussform"),
        ByHand(BY_HAND, folder / "component", "component"),
        ByHand(FLAT, folder / "flat", "flat"),
        Kubectl(folder / "kubectl"),
    ]
    if shutil.which("helm"):
        found.append(Helm(folder / "helm"))
    if shutil.which("terraform"):
        found.append(Terraform(folder / "terraform"))
    return found


def counted(count: int) -> str:
    return "1 server" if count == 1 else f"{count} servers"


def one_round(
    contender: Contender, project: Project, versions: Mapping[str, Servers], seen: dict[str, str]
) -> Iterator[tuple[str, float]]:
    """Yields the seconds of each operation, from an empty namespace to an empty namespace."""
    project.edit("first")
    contender.take(versions["first"])
    for operation, run in contender.operations().items():
        if operation == EDIT:
            project.edit("second")
            contender.take(versions["second"])
        yield operation, run().seconds
        if operation == EDIT:
            seen[contender.name] = objects()
    contender.end()


def objects() -> str:
    """Returns the objects in the namespace, without what the cluster and the tool add."""
    made = json.loads(kubectl("get", KINDS, "-n", NAMESPACE, "-o", "json"))["items"]
    return json.dumps([plain(each) for each in made], sort_keys=True, indent=1)


def plain(made: dict[str, Any]) -> dict[str, Any]:
    about = made["metadata"]
    # Helm's own label takes the place of ours.
    labels = {key: text for key, text in about["labels"].items() if "managed-by" not in key}
    spec = {key: part for key, part in made["spec"].items() if not key.startswith("clusterIP")}
    return {"kind": made["kind"], "name": about["name"], "labels": labels, "spec": spec}


def check_alike(seen: dict[str, str]) -> None:
    """Raises `Failed` if a contender ended in other objects than Trussform."""
    for name, found in seen.items():
        if found != seen[TRUSSFORM]:
            raise Failed(f"{name} ended in other objects than Trussform")
