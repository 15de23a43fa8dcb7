"""The plots of the page, as SVG that reads on a light and on a dark page."""

# pyright: reportUnknownMemberType=false
# The library leaves the types of its keyword arguments open.

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench import figures
from bench.figures import Kept

GREY = "#888888"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "trussform",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": GREY,
    "grid.alpha": 0.3,
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), GREY
    ),
}
COLOURS = ("#3f51b5", "#00897b", "#43a047", "#fb8c00", "#e53935", "#8e24aa")


def draw(folder: Path) -> None:
    """Draws the plots of the rows that have figures."""
    with mpl.rc_context(STYLE):
        stacks(folder / "benchmark-stacks.svg")
        commands(folder / "benchmark-commands.svg")
        requests(folder / "benchmark-requests.svg")


def stacks(file: Path) -> None:
    """Draws the seconds of three operations by the number of servers, on logarithmic scales."""
    found = figures.read("stacks") | figures.read("hundreds")
    if not found:
        return
    operations = ("preview", "up", "preview without changes")
    figure, axes = pyplot.subplots(1, 3, figsize=(11, 4), sharey=True)
    for axis, operation in zip(axes, operations, strict=True):
        _by_count(axis, operation, list(found.values()))
    axes[0].set_ylabel("seconds")
    handles, labels = axes[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    figure.tight_layout(rect=(0, 0.14, 1, 1))
    _save(figure, file)


def _by_count(axis: Axes, operation: str, every: Sequence[Kept]) -> None:
    # A contender has one colour, although not all have all operations.
    colours = dict(zip(dict.fromkeys(kept.figure.who for kept in every), COLOURS, strict=False))
    lines: dict[str, list[tuple[int, float]]] = {}
    for kept in every:
        if seen := re.fullmatch(rf"{operation}, (\d+) servers?", kept.figure.what):
            lines.setdefault(kept.figure.who, []).append((int(seen[1]), kept.figure.median))
    for who, points in lines.items():
        axis.loglog(*zip(*sorted(points), strict=True), marker="o", color=colours[who], label=who)
    axis.set_title(operation)
    axis.set_xlabel("servers")
    axis.set_xticks([1, 10, 100], labels=["1", "10", "100"])
    axis.set_yticks([0.1, 1, 10, 100, 1000], labels=["0.1", "1", "10", "100", "1,000"])


def commands(file: Path) -> None:
    bars(file, "commands", r"^(check|render), (61|1000) configs", "seconds")


def requests(file: Path) -> None:
    bars(file, "requests", r"requests", "requests per second")


def bars(file: Path, row: str, pattern: str, label: str) -> None:
    """Draws the medians as bars, one panel for each quantity, with the least and the most."""
    found = [kept.figure for kept in figures.read(row).values()]
    chosen = [figure for figure in found if re.search(pattern, figure.what)]
    whats = list(dict.fromkeys(figure.what for figure in chosen))
    if not whats:
        return
    heights = [sum(figure.what == what for figure in chosen) for what in whats]
    figure, axes = pyplot.subplots(
        len(whats), 1, figsize=(9, 0.4 * sum(heights) + 0.9 * len(whats)),
        height_ratios=heights, squeeze=False,
    )  # fmt: skip
    for axis, what in zip(axes[:, 0], whats, strict=True):
        shown = [each for each in chosen if each.what == what]
        medians = [each.median for each in shown]
        spread = [
            [each.median - min(each.values) for each in shown],
            [max(each.values) - each.median for each in shown],
        ]
        axis.barh([each.who for each in shown], medians, xerr=spread, color=COLOURS, ecolor=GREY)
        axis.invert_yaxis()
        axis.grid(axis="y", visible=False)
        axis.set_title(what, loc="left")
    axes[-1, 0].set_xlabel(label)
    figure.tight_layout()
    _save(figure, file)


def _save(figure: Figure, file: Path) -> None:
    figure.savefig(file, transparent=True, metadata={"Date": None})
    pyplot.close(figure)
