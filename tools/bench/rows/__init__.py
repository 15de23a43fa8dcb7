"""The rows of the benchmark, in the order of the page.

A row has `missing()`, the first thing that it needs and this machine lacks, and `measure()`, which
yields its figures.
"""

from collections.abc import Iterable
from typing import Protocol

from bench.figures import Figure
from bench.rows import (
    builds,
    commands,
    growth,
    hundreds,
    requests,
    settings,
    stacks,
    starts,
    weights,
)


class Row(Protocol):
    @staticmethod
    def missing() -> str | None: ...

    @staticmethod
    def measure() -> Iterable[Figure]: ...


ROWS: dict[str, Row] = {
    "stacks": stacks,
    "growth": growth,
    "commands": commands,
    "builds": builds,
    "starts": starts,
    "requests": requests,
    "weights": weights,
}

AT_LENGTH: dict[str, Row] = {"hundreds": hundreds, "settings": settings}
"""The rows that run only by their names, because they take long."""
