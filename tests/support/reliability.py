"""Figures that the tests measure; `make soak` writes them to docs/reliability.md."""

import os
from datetime import UTC, datetime
from pathlib import Path

SOAK = bool(os.environ.get("SOAK"))
"""True if the tests run at length."""

FIGURES: dict[str, str] = {}

HEAD = """# Reliability

`make soak` measures these figures on a real single-node cluster of two cores, and writes this page.
`make e2e` runs the same tests for a shorter time, except those that need all GPUs.

| test | result | date |
"""
RULE = "| --- | --- | --- |\n"


def record(what: str, seen: str) -> None:
    FIGURES[what] = seen


def write(file: Path) -> None:
    """Write the figures of this run; the rows of tests that it left out stay as they are."""
    kept = file.read_text().partition(RULE)[2].splitlines() if file.exists() else []
    rows = {row.split(" | ")[0]: row for row in kept}
    today = datetime.now(UTC).strftime("%-d %B %Y")
    rows |= {f"| {what}": f"| {what} | {seen} | {today} |" for what, seen in FIGURES.items()}
    file.write_text(HEAD + RULE + "".join(f"{row}\n" for row in rows.values()))
