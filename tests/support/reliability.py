"""Figures that the tests measure; `make soak` writes them to docs/reliability.md."""

import os
from datetime import UTC, datetime
from pathlib import Path

SOAK = bool(os.environ.get("SOAK"))
"""True if the tests run at length."""

FIGURES: dict[str, tuple[str, str]] = {}
"""The test and its result, by the figure's id."""

RULE = "| --- | --- | --- | --- |\n"


def record(id: str, what: str, seen: str) -> None:
    """Keeps a figure for the page. A later figure of the same id replaces it."""
    FIGURES[id] = (what, seen)


def write(file: Path) -> None:
    """Writes the figures of this run into the table; the rows of other tests stay."""
    head, _, body = file.read_text().partition(RULE)
    rows = {row.split(" | ")[0]: row for row in body.splitlines()}
    today = datetime.now(UTC).strftime("%-d %B %Y")
    rows |= {
        f"| {id}": f"| {id} | {what} | {seen} | {today} |" for id, (what, seen) in FIGURES.items()
    }
    file.write_text(head + RULE + "".join(f"{row}\n" for row in rows.values()))
