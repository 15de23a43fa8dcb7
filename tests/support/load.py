"""A constant load of streaming requests through Envoy, and what became of each.

Traefik 3.6 cuts one POST in a hundred here, at its first byte and without any update: that is
measured through Envoy, so that what is lost is lost by the rollout.
"""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

import httpx

from support.clients import open_client
from support.programs import wait_for

WORKERS = 16
MOST = 100_000
"""Requests after which a load ends by itself."""


@dataclass
class Load:
    server: str
    environment: str
    served: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])
    """When each whole answer came, and from which version of the server."""
    lost: list[str] = field(default_factory=list[str])
    """When and why a request was not answered whole."""
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with open_client(self.server, self.environment, "envoy") as client:
            while not self.stopping.is_set() and len(self.served) + len(self.lost) < MOST:
                self.ask(client)

    def ask(self, client: httpx.Client) -> None:
        try:
            answer = client.post("/predict", content=b"a prompt")
        except httpx.HTTPError as error:
            self.lose(repr(error))
            return
        pieces = answer.text.split()
        if answer.status_code == 200 and pieces[:-1] == ["token"] * 10:
            self.served.append((time.monotonic(), pieces[-1]))
        else:
            self.lose(f"{answer.status_code} {answer.text[:60]}")

    def lose(self, why: str) -> None:
        self.lost.append(f"{datetime.now(UTC):%H:%M:%S.%f} {why}")
        time.sleep(0.1)  # A server that is away is not asked as fast as it refuses.

    def enough(self, requests: int) -> bool:
        """Returns true when that many requests were answered."""
        return len(self.served) >= requests

    def __str__(self) -> str:
        return f"{len(self.lost)} of {len(self.served) + len(self.lost):,} requests lost"

    def longest_gap(self) -> float:
        """Seconds between two answers, at most."""
        times = [at for at, _ in sorted(self.served)]
        return max(after - before for before, after in pairwise(times))

    def answers(self, version: str) -> bool:
        """Returns true when the last answer came from that version of the server."""
        return bool(self.served) and self.version() == version

    def version(self) -> str:
        """Of the last answer."""
        return max(self.served)[1]


def wait_for_answer(server: str, environment: str) -> None:
    """The gateway hears of a route by itself, and no deployment waits for that."""
    with open_client(server, environment, "envoy") as client:
        wait_for(lambda: client.post("/predict").status_code == 200, f"{server} answers")


@contextmanager
def load(server: str, environment: str, workers: int = WORKERS) -> Generator[Load]:
    """Load on a server while the block runs; whole requests only, so the last ones finish."""
    made = Load(server, environment)
    threads = [threading.Thread(target=made.run) for _ in range(workers)]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        made.stopping.set()
        for thread in threads:
            thread.join()
