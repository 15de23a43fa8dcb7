"""Figures that the tests measure; `make soak` writes them to docs/reliability.md."""

import os
from datetime import UTC, datetime
from pathlib import Path

SOAK = bool(os.environ.get("SOAK"))
"""Whether the tests run at length."""

FIGURES: dict[str, str] = {}

HEAD = """# Reliability

Measured by `make soak` on a real single-node cluster of two cores, {when}; the run itself writes
this page. `make e2e` runs the same tests for a shorter time.

| what was done | what was seen |
| --- | --- |
"""


def record(what: str, seen: str) -> None:
    FIGURES[what] = seen


def write(file: Path) -> None:
    rows = "".join(f"| {what} | {seen} |\n" for what, seen in FIGURES.items())
    file.write_text(HEAD.format(when=datetime.now(UTC).strftime("%-d %B %Y")) + rows)
