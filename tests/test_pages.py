"""The pages that people write: their links, samples and outputs fit the code."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from support.workspace import ROOT
from trussform.cli.app import app
from typer.testing import CliRunner, Result

README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
(EXAMPLE,) = ROOT.glob("examples/**/minilm-embeddings")
TYPOS = {"server_port": "server_prot", "1Gi": "1GB"}
"""The README's two typos in the example."""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def blocks(page: Path, language: str) -> list[str]:
    """Returns the fenced blocks of a page in one language, without their indentation."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", page.read_text(), re.DOTALL | re.M)
    return [re.sub(f"^{indent}", "", text, flags=re.M) for indent, text in found]


def output_of(command: str) -> list[str]:
    """Returns the lines that the README shows below a command, without the cut ones."""
    (block,) = [text for text in blocks(PAGES[0], "console") if text.startswith(f"$ {command}")]
    return block.splitlines()[1:]


def anchors(page: Path) -> set[str]:
    """Returns the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^-\w ]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_the_readme_has_at_most_900_words() -> None:
    assert len(README.split()) <= 900


def test_the_readme_links_every_page() -> None:
    missing = [page.name for page in PAGES if f"docs/{page.name})" not in README]
    assert missing == ["README.md", "CONTRIBUTING.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
        name, _, anchor = link.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), link
        assert not anchor or anchor in anchors(file), link


def test_every_test_file_of_the_evidence_exists() -> None:
    named = set(
        re.findall(r"`(?:tests/engine/)?(test_\w+\.py)`", (ROOT / "docs/tested.md").read_text())
    )
    existing = {
        file.name for name in ("cluster", "engine") for file in (ROOT / "tests" / name).glob("*.py")
    }
    assert named
    assert named - existing == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_stage_sample_fits_the_schema(page: Path) -> None:
    schema: Any = json.loads(run("schema", "stage").stdout)
    for block in blocks(page, "yaml"):
        sample = yaml.safe_load(block)
        if sample.get("kind"):  # An object of Kubernetes.
            continue
        stage = sample.get("config", {}).get("trussform:stage", sample)
        jsonschema.validate({"environment": "dev", **stage}, schema)


def test_the_readmes_first_stage_is_checked_without_a_problem(tmp_path: Path) -> None:
    (stack,) = blocks(ROOT / "README.md", "yaml")
    (server,) = yaml.safe_load(stack)["config"]["trussform:stage"]["servers"].values()
    shutil.copytree(EXAMPLE, tmp_path / server["path"])
    (tmp_path / "Pulumi.yaml").write_text("name: trussform\nruntime: python\n")
    (tmp_path / "Pulumi.first.yaml").write_text(stack)
    result = run("check", "--stack", tmp_path / "Pulumi.first.yaml")
    assert (result.output, result.exit_code) == ("0 errors, 0 warnings\n", 0)


def test_the_readme_shows_what_explain_prints() -> None:
    result = run("explain", "--stack", ROOT / "stacks/Pulumi.local.yaml", EXAMPLE)
    shown = output_of("trussform explain")
    assert shown
    assert [line for line in shown if line not in result.stdout.splitlines()] == []


def test_the_readme_shows_what_check_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / EXAMPLE.name
    shutil.copytree(EXAMPLE, folder)
    text = (folder / "config.yaml").read_text()
    for right, wrong in TYPOS.items():
        assert right in text
        text = text.replace(right, wrong)
    (folder / "config.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert run("check", EXAMPLE.name).output.splitlines() == output_of("trussform check")
