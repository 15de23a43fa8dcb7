"""Rows 1 and 2: the operations on a stack of 1, 10 and 100 servers, against other tools."""

import json
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

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
from bench.processes import Cost, Failed, absent

EDIT = "up with one edit"
BY_HAND = "Pulumi by hand, components"
FLAT = "Pulumi by hand, flat"
TRUSSFORM = "Trussform"
CHANGES = {"up", EDIT}
"""The operations after which the objects of all contenders are compared."""


class Size(NamedTuple):
    """A stack, and what is measured with it."""

    servers: int
    rounds: int
    without: Container[str]
    """The operations and the contenders that are left out."""

    @property
    def words(self) -> str:
        return "1 server" if self.servers == 1 else f"{self.servers} servers"


SIZES = (
    Size(1, ROUNDS, {FLAT, Terraform.name}),
    Size(10, ROUNDS, {"refresh", "destroy", Terraform.name}),
    Size(100, 1, {"refresh", "destroy", FLAT}),
)
"""All of it in five rounds would take some hours."""


def missing() -> str | None:
    if reason := engine_missing() or absent("kubectl"):
        return reason
    if subprocess.run(["kubectl", "version"], capture_output=True, check=False).returncode:
        return "no cluster answers; run `make cluster`"
    return None


def measure() -> Iterator[Figure]:
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            yield from stacks(Path(folder), size)


def stacks(folder: Path, size: Size) -> Iterator[Figure]:
    """Yields the seconds of each operation."""
    project = Project(folder / "trussform", size.servers)
    contenders = [each for each in present(folder) if each.name not in size.without]
    versions = {mode: rendered(project, mode) for mode in ("second", "first")}
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    with namespace():
        for contender in contenders:
            contender.take(versions["first"])
            contender.start()
        for turn in in_turns(contenders, size.rounds):
            seen: dict[tuple[str, str], str] = {}
            for contender in turn:
                for operation, run in one_round(contender, project, versions, size.without):
                    seconds[f"{operation}, {size.words}", contender.name].append(run().seconds)
                    if operation in CHANGES:
                        seen[operation, contender.name] = objects()
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


def one_round(
    contender: Contender, project: Project, versions: Mapping[str, Servers], without: Container[str]
) -> Iterator[tuple[str, Callable[[], Cost]]]:
    """Yields the operations, each to be run, from an empty namespace to an empty namespace."""
    project.edit("first")
    contender.take(versions["first"])
    for operation, run in contender.operations().items():
        if operation in without:
            continue
        if operation == EDIT:
            project.edit("second")
            contender.take(versions["second"])
        yield operation, run
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


def check_alike(seen: Mapping[tuple[str, str], str]) -> None:
    """Raises `Failed` if a contender ended an operation in other objects than Trussform."""
    for (operation, name), found in seen.items():
        if found != seen[operation, TRUSSFORM]:
            raise Failed(f"{name} ended `{operation}` in other objects than Trussform")
