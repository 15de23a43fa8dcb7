"""Settings of Pulumi that a user has: what each saves in a stack of 40 servers."""

import tempfile
from collections import defaultdict
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from support.pulumi_service import pulumi_service

from bench.contenders import NAMESPACE, Project, Pulumi, namespaces, settle
from bench.figures import Figure, in_turns
from bench.rows import stacks
from bench.rows.growth import WITHOUT_CHECKPOINTS

COUNT = 40
ROUNDS = 3


class Setting(NamedTuple):
    """A way to run Pulumi against a real API server."""

    name: str
    env: dict[str, str]
    journal: bool | None = None
    """True if a service has the state and keeps a journal, false without; None for a folder."""


SETTINGS = (
    Setting("the defaults", {}),
    Setting("compressed state", {"PULUMI_DIY_BACKEND_GZIP": "true"}),
    Setting("without checkpoints", WITHOUT_CHECKPOINTS),
    Setting("a service", {}, journal=False),
    Setting("a service with a journal", {}, journal=True),
    Setting("--parallel 100", {"PULUMI_PARALLEL": "100"}),
    Setting(
        "200 requests a second",
        {"PULUMI_K8S_CLIENT_QPS": "200", "PULUMI_K8S_CLIENT_BURST": "400"},
    ),
)

missing = stacks.missing


def measure() -> Iterator[Figure]:
    """Yields the seconds of each operation by setting."""
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    with namespaces(NAMESPACE):
        for turn in in_turns(SETTINGS, ROUNDS):
            for setting in turn:
                for operation, took in run(setting):
                    seconds[operation, setting.name].append(took)
    for (operation, who), values in seconds.items():
        yield Figure(f"{operation}, {COUNT} servers", who, "s", tuple(values))


def run(setting: Setting) -> Iterator[tuple[str, float]]:
    """Yields the seconds of each operation; a service here has no state to refresh."""
    with tempfile.TemporaryDirectory() as folder, service(setting.journal) as url:
        project = Project(Path(folder) / "project", COUNT)
        program = Pulumi(setting.name, project.folder, url, **setting.env)
        program.start()
        for operation in ("preview", "up", *(() if url else ("refresh",))):
            yield operation, program.operations()[operation]().seconds
        program.end()
        settle(NAMESPACE)


@contextmanager
def service(journal: bool | None) -> Generator[str]:
    """Yields the URL of a service with the protocol of Pulumi Cloud; none if the state is local."""
    if journal is None:
        yield ""
        return
    with pulumi_service(journal) as made:
        yield made.url
