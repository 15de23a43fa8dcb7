"""Figures: values measured in rounds, kept as JSON, one file for each row of the benchmark."""

import json
import os
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

Item = TypeVar("Item")

ROUNDS = 5
"""The rounds of a figure: each contender has its turn in each."""

RESULTS = Path(__file__).with_name("results")


class Figure(NamedTuple):
    """The values of one contender, one of each round."""

    what: str
    """The quantity: `preview, 100 servers`."""
    who: str
    """The contender: `Trussform`, `Terraform 1.14`, …"""
    unit: str
    """`s`, `MB`, `bytes`, `requests/s`, …"""
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)


class Kept(NamedTuple):
    """A figure of a file, with the day and the machine that it was measured on."""

    figure: Figure
    date: str
    machine: str


def in_turns(items: Sequence[Item], rounds: int = ROUNDS) -> Iterator[list[Item]]:
    """Yields the items in the order of each round.

    Every second round has the order of the one before in reverse. The next one then begins with
    another item. So no item always follows the same one.
    """
    for turn in range(rounds):
        at = turn // 2 % len(items)
        order = [*items[at:], *items[:at]]
        yield order[::-1] if turn % 2 else order


def alternate(
    contenders: Mapping[str, Callable[[], Item]], rounds: int = ROUNDS
) -> dict[str, tuple[Item, ...]]:
    """Returns the values of each contender.

    The contenders run in turns, so that what else the machine does falls on all of them.
    """
    values: dict[str, list[Item]] = {name: [] for name in contenders}
    for names in in_turns(list(contenders), rounds):
        for name in names:
            values[name].append(contenders[name]())
    return {name: tuple(found) for name, found in values.items()}


def compare(
    what: str, unit: str, contenders: Mapping[str, Callable[[], float]], rounds: int = ROUNDS
) -> list[Figure]:
    """Returns one figure of each contender, measured in turns."""
    values = alternate(contenders, rounds)
    return [Figure(what, who, unit, found) for who, found in values.items()]


def read(row: str) -> dict[tuple[str, str], Kept]:
    """Returns the kept figures of a row, by quantity and contender; none if it never ran."""
    file = RESULTS / f"{row}.json"
    if not file.exists():
        return {}
    kept = (
        Kept(
            Figure(entry["what"], entry["who"], entry["unit"], tuple(entry["values"])),
            entry["date"],
            entry["machine"],
        )
        for entry in json.loads(file.read_text())
    )
    return {(one.figure.what, one.figure.who): one for one in kept}


def keep(row: str, figures: Iterable[Figure]) -> None:
    """Writes figures into the file of a row, in their order, before those of absent contenders."""
    today = datetime.now(UTC).strftime("%-d %B %Y")
    new = {(one.what, one.who): Kept(one, today, machine()) for one in figures}
    absent = {key: one for key, one in read(row).items() if key not in new}
    entries = [
        {**one.figure._asdict(), "date": one.date, "machine": one.machine}
        for one in (new | absent).values()
    ]
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(entries, indent=1, ensure_ascii=False)
    (RESULTS / f"{row}.json").write_text(text + "\n")


def machine() -> str:
    """Returns the size of this machine: `2 cores, 24 GiB`."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{os.cpu_count()} cores, {round(memory / 2**30)} GiB"
