"""Rows 1 and 2: the operations on a stack of 1 and of 10 servers, against other tools.

`hundreds` measures larger stacks.
"""

import json
import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
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
    moved,
    namespaces,
    settle,
)
from bench.figures import ROUNDS, Figure, in_turns
from bench.processes import Cost, Failed, absent
from bench.rows.growth import WITHOUT_CHECKPOINTS

EDIT = "up with one edit"
OPERATIONS = ("preview", "up", "preview without changes", EDIT, "refresh", "destroy")
BY_HAND = "Pulumi by hand, components"
FLAT = "Pulumi by hand, flat"
TRUSSFORM = "Trussform"
CHANGES = {"up", EDIT}
"""The operations after which the objects of all contenders are compared."""


class Size(NamedTuple):
    """A stack, and what is measured with it."""

    servers: int
    rounds: int = ROUNDS
    fewer: Mapping[str, int] = MappingProxyType({})
    """The contenders that have fewer rounds; one with none is left out."""
    checkpoints: bool = True
    """False if Pulumi writes its state once, at the end."""

    def has(self, who: str, turn: int) -> bool:
        """Returns true if the contender takes part in that turn, counted from 0."""
        return turn < self.fewer.get(who, self.rounds)

    @property
    def words(self) -> str:
        count = "1 server" if self.servers == 1 else f"{self.servers} servers"
        return count if self.checkpoints else f"{count} without checkpoints"

    @property
    def env(self) -> Mapping[str, str]:
        """The environment variables of the contenders of Pulumi."""
        return {} if self.checkpoints else WITHOUT_CHECKPOINTS


def missing() -> str | None:
    if reason := engine_missing() or absent("kubectl"):
        return reason
    if subprocess.run(["kubectl", "version"], capture_output=True, check=False).returncode:
        return "no cluster answers; run `make cluster`"
    return None


def measure() -> Iterator[Figure]:
    return measure_sizes(Size(servers, fewer={Terraform.name: 3}) for servers in (1, 10))


def measure_sizes(sizes: Iterable[Size]) -> Iterator[Figure]:
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            yield from stacks(Path(folder), size)


def stacks(folder: Path, size: Size) -> Iterator[Figure]:
    """Yields the seconds of each operation, and prints them as they come."""
    project = Project(folder / "trussform", size.servers)
    contenders = [each for each in installed(folder, size.env) if size.has(each.name, 0)]
    versions = {mode: rendered(project, mode) for mode in ("second", "first")}
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    with namespaces(*(each.namespace for each in contenders)):
        give(contenders, versions["first"])
        for contender in contenders:
            contender.start()
        for turn, order in enumerate(in_turns(contenders, size.rounds)):
            those = [each for each in order if size.has(each.name, turn)]
            for operation, contender, run in one_round(those, project, versions):
                took = run().seconds
                print(f"{contender.name}: {operation}, {size.words}: {took:.2f} s", flush=True)
                seconds[f"{operation}, {size.words}", contender.name].append(took)
    for (what, who), values in seconds.items():
        yield Figure(what, who, "s", tuple(values))


def rendered(project: Project, mode: str) -> Servers:
    """Returns the objects of the project with that value of the variable."""
    project.edit(mode)
    return project.servers()


def installed(folder: Path, env: Mapping[str, str]) -> list[Contender]:
    """Returns the contenders whose programs are on this machine; `env` is for those of Pulumi."""
    found: list[Contender] = [
        Pulumi(TRUSSFORM, folder / "trussform", **env),
        ByHand(BY_HAND, folder / "component", "component", **env),
        ByHand(FLAT, folder / "flat", "flat", **env),
        Kubectl(folder / "kubectl"),
    ]
    if shutil.which("helm"):
        found.append(Helm(folder / "helm"))
    if shutil.which("terraform"):
        found.append(Terraform(folder / "terraform"))
    return found


def one_round(
    contenders: Sequence[Contender], project: Project, versions: Mapping[str, Servers]
) -> Iterator[tuple[str, Contender, Callable[[], Cost]]]:
    """Yields each operation of each contender, to be run, from no objects to no objects.

    All contenders run an operation before any runs the next: the speed of a machine changes less
    from one to the other.
    """
    project.edit("first")
    give(contenders, versions["first"])
    for operation in OPERATIONS:
        if operation == EDIT:
            project.edit("second")
            give(contenders, versions["second"])
        able = [each for each in contenders if operation in each.operations()]
        for contender in able:
            yield operation, contender, contender.operations()[operation]
            settle(contender.namespace)
        if operation in CHANGES:
            check_alike(operation, able)
    for contender in contenders:
        contender.end()
        settle(contender.namespace)


def give(contenders: Iterable[Contender], servers: Servers) -> None:
    """Gives each contender the servers, in its own namespace."""
    for contender in contenders:
        contender.take(moved(servers, contender.namespace))


def objects(namespace: str) -> str:
    """Returns the objects in a namespace, without what the cluster and the tool add."""
    made = json.loads(kubectl("get", KINDS, "-n", namespace, "-o", "json"))["items"]
    return json.dumps([plain(each) for each in made], sort_keys=True, indent=1)


def plain(made: dict[str, Any]) -> dict[str, Any]:
    about = made["metadata"]
    # Helm's own label takes the place of ours.
    labels = {key: text for key, text in about["labels"].items() if "managed-by" not in key}
    spec = {key: part for key, part in made["spec"].items() if not key.startswith("clusterIP")}
    return {"kind": made["kind"], "name": about["name"], "labels": labels, "spec": spec}


def check_alike(operation: str, contenders: Iterable[Contender]) -> None:
    """Raises `Failed` if a contender ended the operation in other objects than Trussform."""
    right = objects(NAMESPACE)
    for contender in contenders:
        if objects(contender.namespace) != right:
            raise Failed(f"{contender.name} ended `{operation}` in other objects than Trussform")
