"""The page of reliability, as `make soak` writes it."""

from pathlib import Path

import pytest
from support import reliability
from support.workspace import ROOT

PAGE = ROOT / "docs/reliability.md"


def test_a_run_replaces_the_rows_of_its_figures_and_keeps_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "reliability.md"
    page.write_text(PAGE.read_text())
    monkeypatch.setattr(reliability, "FIGURES", {})
    reliability.record("silence", "a stream, silent for 5 s", "whole")
    reliability.record("new", "a new test", "passes")
    reliability.write(page)
    before, after = PAGE.read_text().splitlines(), page.read_text().splitlines()
    changed = [line for line in after if line not in before]
    assert [line.split(" | ")[:3] for line in changed] == [
        ["| silence", "a stream, silent for 5 s", "whole"],
        ["| new", "a new test", "passes"],
    ]
    assert len(after) == len(before) + 1
