"""A fresh checkout: plain `pytest` collects it, and pyproject.toml declares what it imports."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.workspace import ROOT

OTHER_ENVIRONMENTS = ("tests/cluster/servers", "tests/cluster/real_clients")
"""These run in images and environments with requirements of their own."""


def test_modules_of_one_name_are_collected_beside_each_other() -> None:
    by_name: dict[str, list[Path]] = {}
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        by_name.setdefault(file.name, []).append(file)
    same = [str(file) for files in by_name.values() if len(files) > 1 for file in files]
    assert same, "no two test modules share a name; remove this test"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", *same],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout


def test_pyproject_declares_what_the_tests_and_scripts_import() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared = {
        canonicalize_name(Requirement(text).name)
        for text in (*project["project"]["dependencies"], *project["dependency-groups"]["dev"])
    }
    owners = packages_distributions()
    missing = {
        (name, str(file.relative_to(ROOT)))
        for file, name in _imports()
        if (found := owners.get(name.partition(".")[0]))
        and name.partition(".")[0] != "trussform"
        and not declared & {canonicalize_name(owner) for owner in _owners(name, found)}
    }
    assert missing == set()


def _imports() -> Iterator[tuple[Path, str]]:
    """Yields each module that a file of the tests, the tools and the fetcher imports."""
    folders = ("tests", "tools", "components/trussform/fetcher")
    for file in [path for name in folders for path in (ROOT / name).rglob("*.py")]:
        if str(file.relative_to(ROOT)).startswith(OTHER_ENVIRONMENTS):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from ((file, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield file, node.module


NAMESPACES = {
    "google.auth": "google-auth",
    "google.cloud": "google-cloud-storage",
    "google.protobuf": "protobuf",
    "azure.storage": "azure-storage-blob",
}
"""The distribution of a module below a package that several distributions share."""


def _owners(module: str, found: list[str]) -> list[str]:
    shared = NAMESPACES.get(".".join(module.split(".")[:2]))
    return [shared] if shared else found


def test_no_test_module_imports_another() -> None:
    imports = {(file.name, name) for file, name in _imports() if "tests" in file.parts}
    assert {pair for pair in imports if re.match(r"(test_|conftest)", pair[1])} == set()
