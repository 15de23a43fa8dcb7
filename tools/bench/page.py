"""The page docs/benchmarks.md: the text of benchmarks.md, with the tables, goals and plots."""

import re
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from bench import figures, plots
from bench.figures import Kept
from bench.rows.stacks import BY_HAND, OPERATIONS

TEMPLATE = Path(__file__).with_name("benchmarks.md")
PAGE = Path(__file__).parents[2] / "docs/benchmarks.md"
PICTURES = PAGE.parent / "pictures"

Key = tuple[str, str]
"""A quantity and a contender."""
Figures = dict[Key, Kept]


class Goal(NamedTuple):
    """The median of a figure, or of its ratios to another in the same rounds, and a bound."""

    words: str
    row: str
    figure: Key
    over: Key | None
    bound: float
    least: bool = False
    """True if the bound is the least that is good."""
    unit: str = "times"


def write() -> None:
    """Writes the page and its plots from the figures of all rows."""
    plots.draw(PICTURES)
    text = re.sub(r"^\[(table|goals) ?([\w-]*) ?(.*)\]$", _filled, TEMPLATE.read_text(), flags=re.M)
    PAGE.write_text(text)


def _filled(mark: re.Match[str]) -> str:
    kind, row, part = mark.groups()
    if kind == "goals":
        return goals(GOALS)
    found = {key: kept for key, kept in figures.read(row).items() if re.search(part, key[0])}
    return table(found) if found else "Not measured yet."


def table(found: Figures) -> str:
    """Returns a table with a row for each quantity and a column for each contender."""
    whats = list(dict.fromkeys(what for what, _ in found))
    whos = list(dict.fromkeys(who for _, who in found))
    lines = [f"| | {' | '.join(whos)} |", "| --- |" + " ---: |" * len(whos)]
    for what in whats:
        cells = [_cell(found.get((what, who))) for who in whos]
        unit = next(kept.figure.unit for key, kept in found.items() if key[0] == what)
        lines.append(f"| {what}, {unit} | {' | '.join(cells)} |")
    return "\n".join(lines) + f"\n\n{_measured(found.values())}"


def _cell(kept: Kept | None) -> str:
    if kept is None:
        return "–"
    values = kept.figure.values
    if min(values) == max(values):
        return shown(values[0])
    return f"{shown(kept.figure.median)} ({shown(min(values))} to {shown(max(values))})"


def shown(value: float) -> str:
    """Returns a number with three digits, or whole if it is larger."""
    if value == 0 or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 1 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _measured(kept: Iterable[Kept]) -> str:
    """Returns the day, the machine and the rounds of a table's figures."""
    each = list(kept)
    days = " and ".join(dict.fromkeys(one.date for one in each))
    machines = " and ".join(dict.fromkeys(one.machine for one in each))
    rounds = sorted({len(one.figure.values) for one in each})
    times = f"{rounds[0]}" if len(rounds) == 1 else f"{rounds[0]} to {rounds[-1]}"
    words = "1 round" if rounds == [1] else f"median of {times} rounds, with the least and the most"
    return f"Measured on {days} with {machines}: {words}."


def goals(every: Sequence[Goal]) -> str:
    """Returns the table of the goals, and whether each is met."""
    lines = ["| Goal | Bound | Measured | Met |", "| --- | ---: | ---: | --- |"]
    for goal in every:
        found = figures.read(goal.row)
        ends = [goal.figure] if goal.over is None else [goal.figure, goal.over]
        if any(key not in found for key in ends):
            continue
        value = statistics.median(_rounds(*(found[key].figure.values for key in ends)))
        met = value >= goal.bound if goal.least else value <= goal.bound
        bound = f"{'at least' if goal.least else 'at most'} {goal.bound:g}"
        measured = f"{value:.2f} {goal.unit}" if value else f"0 {goal.unit}"
        lines.append(f"| {goal.words} | {bound} | {measured} | {'yes' if met else 'no'} |")
    return "\n".join(lines)


def _rounds(values: Sequence[float], over: Sequence[float] | None = None) -> list[float]:
    """Returns the values, or their ratios to those of the same rounds."""
    return list(values) if over is None else [a / b for a, b in zip(values, over, strict=False)]


def _stacks(operation: str, count: int, bound: float) -> Goal:
    what = f"{operation}, {count} servers"
    words = f"{operation} of {count} servers, over components by hand"
    return Goal(words, "hundreds", (what, "Trussform"), (what, BY_HAND), bound)


def _terraform(operation: str) -> Goal:
    what = f"{operation}, 100 servers"
    words = f"{operation} of 100 servers, Terraform over Trussform"
    return Goal(words, "hundreds", (what, "Terraform"), (what, "Trussform"), 3, least=True)


def _growth(what: str) -> Goal:
    few, many = (f"{what}, {count} servers" for count in ("100", "1,000"))
    words = f"{what} of 1,000 servers, over 100"
    return Goal(words, "growth", (many, "Trussform"), (few, "Trussform"), 10.5)


def _pushed(edit: str) -> Goal:
    words = f"bytes pushed after an edit ({edit})"
    return Goal(words, "builds", (f"{edit}: pushed", "Trussform"), None, 0, unit="bytes")


def _layer(edit: str) -> Goal:
    what = f"{edit}: pushed"
    words = f"bytes pushed after an edit ({edit}), over the changed layer"
    return Goal(words, "builds", (what, "Trussform"), (what, "the changed layer alone"), 1.05)


def _requests(over: str, bound: float) -> Goal:
    what = "requests by 32 connections"
    words = f"rate of requests, over {over}"
    return Goal(words, "requests", (what, "Trussform"), (what, over), bound, least=True)


def _weights(store: str, peer: str) -> Goal:
    what = f"{store}: fetch"
    words = f"rate of a fetch from {store}, over {peer}"
    return Goal(words, "weights", (what, "Trussform"), (what, peer), 0.9, least=True)


GOALS = (
    *(_stacks(operation, 100, 1.05) for operation in OPERATIONS),
    *(_terraform(operation) for operation in ("preview", "preview without changes", "up")),
    *(_growth(what) for what in ("up", "memory of the largest process", "state")),
    Goal(
        "check of 61 configs, truss over Trussform", "commands",
        ("check, 61 configs", "truss: load"), ("check, 61 configs", "trussform check"),
        5, least=True,
    ),
    Goal(
        "render of 1 config, over Python and the same imports", "commands",
        ("render, 1 config", "trussform render"),
        ("render, 1 config", "Python and the imports of render"),
        1.3,
    ),
    *(_pushed(edit) for edit in ("the command", "an environment variable",
                                 "the value of a secret", "a new secret", "a probe")),
    *(_layer(edit) for edit in ("one requirement", "one data file")),
    Goal(
        "first answer after the server could give it", "starts",
        ("from ready to the first answer", "Trussform"), None, 1.5, unit="s",
    ),
    Goal(
        "first answer after a saved edit, without the server's own start", "starts",
        ("from a saved edit to the first answer", "Trussform"), None, 1.5, unit="s",
    ),
    _requests("the gateway alone", 0.95),
    _requests("Truss's nginx", 1),
    _requests("the gateway and Truss's nginx", 1),
    _weights("hub", "hf download"),
    _weights("S3", "aws s3 cp"),
)  # fmt: skip
