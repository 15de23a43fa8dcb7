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
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
GENERATED = ("config", "stage", "component", "conformance", "hardening", "reliability")
WRITTEN = [page for page in PAGES if page.stem not in GENERATED]
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
    (block,) = [text for text in blocks(PAGES[0], "console") if f"$ {command}" in text]
    return block.partition(f"$ {command}")[2].splitlines()[1:]


def anchors(page: Path) -> set[str]:
    """Returns the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^-\w ]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_the_readme_has_at_most_600_words() -> None:
    assert len(README.split()) <= 600


def test_the_site_has_every_page() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    listed = [page for section in site["nav"] for pages in section.values() for page in pages]
    assert sorted(listed) == sorted(page.name for page in (ROOT / "docs").glob("*.md"))


def test_the_mean_sentence_of_a_written_page_is_short() -> None:
    long = {page.name: mean for page in WRITTEN if (mean := mean_sentence(page)) > 16}
    assert long == {}


def mean_sentence(page: Path) -> float:
    """Returns the mean number of words in the sentences of a page, without code and tables."""
    text = re.sub(r"```.*?```|<!--.*?-->", "\n\n", page.read_text(), flags=re.DOTALL)
    text = re.sub(r"^\|.*$|^#.*$", "\n\n", text, flags=re.M)
    sentences = re.split(r"(?<=[.:?])\s|\n\n|^\s*(?:-|\d+\.) ", text, flags=re.M)
    counts = [len(words) for sentence in sentences if len(words := sentence.split()) > 1]
    return sum(counts) / len(counts)


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
        if sample.get("kind") or isinstance(sample.get("environment"), list):
            continue  # An object of Kubernetes, or the environments of a stack file.
        environment = sample.get("values", {}).get("pulumiConfig", {})
        stage = {**sample.get("config", {}), **environment}.get("trussform:stage", sample)
        jsonschema.validate({"environment": "dev", **stage}, schema)


def test_the_readme_shows_what_explain_prints() -> None:
    result = run("explain", "--stack", ROOT / "stacks/Pulumi.local.yaml", EXAMPLE)
    shown = output_of("trussform explain")
    assert shown
    assert [line for line in shown if line not in result.stdout.splitlines()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_trussform_has_the_options_that_a_page_shows(page: Path) -> None:
    for block in blocks(page, "console"):
        for command, rest in re.findall(r"^\$ trussform ([a-z]+)(.*)", block, re.M):
            text = run(command, "--help").output
            for option in re.findall(r"--[a-z-]+", rest):
                assert re.search(rf"{option}\b", text), f"trussform {command}{rest}"


@pytest.mark.parametrize("number", range(5))
def test_every_stage_of_the_gpu_page_lacks_only_the_values_of_secrets(
    tmp_path: Path, number: int
) -> None:
    stages = blocks(ROOT / "docs/first-gpu-server.md", "yaml")
    assert len(stages) == 5
    shutil.copytree(ROOT / "examples/servers/vllm-llama-3.1-8b", tmp_path / "vllm-llama-3.1-8b")
    (tmp_path / "Pulumi.yaml").write_text("name: models\nruntime: python\n")
    file = tmp_path / "Pulumi.gpu.yaml"
    file.write_text(yaml.safe_dump({"config": {"trussform:stage": yaml.safe_load(stages[number])}}))
    problems = json.loads(run("check", "--stack", file, "--format", "json").stdout)
    wrong = {problem["message"] for problem in problems if problem["level"] == "error"}
    known = {
        f"the stack has no value for the secret `{name}`" for name in ("hf_access_token", "client")
    }
    assert wrong <= known, wrong
