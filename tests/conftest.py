"""Fixtures for every test, and the last line of a run: what was skipped, and why."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.workspace import Workspace
from trussform.plan import Plan


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", [])
    )
    for reason, count in reasons.items():
        terminalreporter.write_line(f"{count} skipped: {reason}")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def plan(workspace: Workspace) -> Callable[..., Plan]:
    """The plan of the small config with changes to it and to the stage; fails on an error."""

    def make(config: dict[str, Any] | None = None, stage: dict[str, Any] | None = None) -> Plan:
        made, problems = workspace.plan(config, stage)
        assert [problem for problem in problems if problem.level == "error"] == []
        return made

    return make
