"""The fetcher as its pod has it: with an old Python, without Trussform, from a ConfigMap."""

import ast
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trussform import fetcher
from trussform.cli.render import objects
from trussform.manifests import Manifest, weights
from trussform.plan import Plan

PROGRAM = Path(fetcher.__file__).parent
FILES = sorted(PROGRAM.glob("*.py"))
WEIGHTS = {"weights": [{"source": "hf://owner/model@main", "mount_location": "/models/a"}]}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_file_runs_with_python_3_9_and_imports_sdks_only_where_it_needs_them(
    file: Path,
) -> None:
    for node in ast.parse(file.read_text(), feature_version=(3, 9)).body:
        if isinstance(node, ast.Import):
            assert {name.name.partition(".")[0] for name in node.names} <= sys.stdlib_module_names
        if isinstance(node, ast.ImportFrom) and not node.level:
            assert (node.module or "").partition(".")[0] in sys.stdlib_module_names


def by_kind(plan: Plan) -> dict[str, Manifest]:
    return {made["kind"]: made for made in objects(plan)}


def test_another_program_changes_the_config_map_and_restarts_no_server(
    plan: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = by_kind(plan(WEIGHTS))
    assert before["ConfigMap"]["data"].keys() == {file.name for file in FILES}
    (tmp_path / "__main__.py").write_text("print('another')")
    monkeypatch.setattr(weights, "_PROGRAM", tmp_path)
    after = by_kind(plan(WEIGHTS))
    assert after.pop("ConfigMap")["data"] == {"__main__.py": "print('another')"}
    del before["ConfigMap"]
    assert after == before


def test_a_server_without_weights_has_no_fetcher(plan: Callable[..., Plan]) -> None:
    pod: Any = by_kind(plan())
    assert "ConfigMap" not in pod
    assert "fetcher" not in str(pod["Deployment"])
