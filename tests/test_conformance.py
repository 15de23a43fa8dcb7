"""Real configs: each checks and renders, and the page of conformance has its row."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support.workspace import CORPUS, ROOT, plans_of
from trussform import planning
from trussform.cli import render
from trussform.problem import errors

pytestmark = pytest.mark.skipif(not CORPUS, reason="there are no real configs; run `make corpus`")


def named(file: Path) -> str:
    return file.parent.name


@pytest.mark.parametrize("file", CORPUS, ids=named)
def test_a_real_config_checks_and_renders(file: Path) -> None:
    plans, problems = plans_of(planning.without_stage(file), [file])
    assert errors(problems) == []
    objects = list(yaml.safe_load_all(render.stream(plans)))
    assert {"Deployment", "Service"} <= {made["kind"] for made in objects}


def test_the_page_has_the_row_of_every_config() -> None:
    command = [sys.executable, "-m", "docs.conformance"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tools")}
    made = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment
    ).stdout
    rows = [line for line in made.splitlines() if line.startswith("| ")]
    page = (ROOT / "docs/conformance.md").read_text().splitlines()
    assert [row for row in rows if row not in page] == [], "run `make docs`"
