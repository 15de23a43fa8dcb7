"""Real configs beside the project: each checks, renders and stands in the document as it is."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from trussform import planning
from trussform.cli import render
from trussform.problem import errors
from workspace import CORPUS, ROOT, plans_of

pytestmark = pytest.mark.skipif(not CORPUS, reason="no corpus of real configs beside the project")


def named(file: Path) -> str:
    return file.parent.name


@pytest.mark.parametrize("file", CORPUS, ids=named)
def test_a_real_config_checks_and_renders(file: Path) -> None:
    plans, problems = plans_of(planning.without_stage(file), [file])
    assert errors(problems) == []
    objects = list(yaml.safe_load_all(render.stream(plans)))
    assert {"Deployment", "Service"} <= {made["kind"] for made in objects}


def test_the_document_of_the_real_configs_is_as_the_code_has_it() -> None:
    command = [sys.executable, str(ROOT / "scripts/conformance.py")]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert made == (ROOT / "docs/conformance.md").read_text(), "run `make docs`"
