"""Deployments that KEDA scales, and their numbers of pods over time."""

import json
import subprocess
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from support.deployed import kubectl
from support.programs import wait_for
from support.routes import named


class Seen(NamedTuple):
    """The numbers of a Deployment at one time."""

    at: float
    """Seconds of the monotonic clock."""
    replicas: int
    """The number that somebody has set."""
    ready: int
    """The pods that take requests."""


class Watch:
    """The numbers of a Deployment in the order of their times."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []

    def read(self, line: str) -> None:
        replicas, _, ready = line.strip().partition("/")
        self.seen.append(Seen(time.monotonic(), int(replicas or 0), int(ready or 0)))

    @property
    def replicas(self) -> set[int]:
        return {seen.replicas for seen in self.seen}

    @property
    def fewest_ready(self) -> int:
        return min(seen.ready for seen in self.seen)

    def first(self, below: int) -> float:
        """Returns the time of the first smaller number than `below`, after that one was reached."""
        reached = next(i for i, seen in enumerate(self.seen) if seen.replicas >= below)
        return next(seen.at for seen in self.seen[reached:] if seen.replicas < below)


@contextmanager
def watched(namespace: str, server: str) -> Generator[Watch]:
    """Watches a Deployment while the block runs."""
    fields = r"jsonpath={.spec.replicas}/{.status.readyReplicas}{'\n'}"
    command = ["kubectl", "get", f"deployment/{server}", "-n", namespace, "--watch", "-o", fields]
    watch = Watch()

    def read(lines: Any) -> None:
        for line in lines:
            watch.read(line)

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
        reading = threading.Thread(target=read, args=[watching.stdout])
        reading.start()
        try:
            wait_for(lambda: bool(watch.seen), f"{server} is watched")
            yield watch
        finally:
            watching.terminate()
            reading.join()


def numbers(namespace: str, server: str) -> tuple[int, int]:
    """Returns the replicas of a Deployment, and how many of them are ready."""
    about = json.loads(kubectl("get", f"deployment/{server}", "-n", namespace, "-o", "json"))
    return about["spec"]["replicas"], about["status"].get("readyReplicas", 0)


def annotations(namespace: str, server: str) -> dict[str, str]:
    """Returns the annotations of the ScaledObject; empty if there is none."""
    words = ("get", f"scaledobject/{server}", "-n", namespace, "-o", "json", "--ignore-not-found")
    about = json.loads(kubectl(*words) or '{"metadata": {}}')["metadata"]
    return about.get("annotations", {})


def wait_for_replicas(namespace: str, server: str, number: int, seconds: float = 180) -> None:
    wait_for(
        lambda: numbers(namespace, server) == (number, number),
        f"{server} has {number} replicas",
        seconds,
    )


@contextmanager
def resolvable(namespace: str, *servers: str) -> Generator[None]:
    """Lets the interceptor of this machine, which has no DNS of the cluster's, find Services."""
    with ExitStack() as names:
        for server in servers:
            words = ("get", f"service/{server}", "-n", namespace, "-o")
            address = kubectl(*words, "jsonpath={.spec.clusterIP}")
            names.enter_context(named(address, f"{server}.{namespace}"))
        yield
