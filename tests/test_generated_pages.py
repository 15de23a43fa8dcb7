"""The reference pages that `make docs` writes."""

import json
import re

import pytest
from support.stages import COMMON, FORMS
from support.workspace import ROOT
from trussform.cli.app import app
from trussform.cli.render import objects
from trussform.config import load_config_folder
from trussform.plan import UNKNOWN, Given, build_plan
from trussform.schema import json_schema
from trussform.stage import Stage
from typer.testing import CliRunner

from docs import component, stage

PAGES = {"stage.md": stage.page, "component.md": component.page}


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_current(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == f"{PAGES[name]()}\n", "run `make docs`"


def texts(svg: str) -> list[str]:
    """Returns the texts of a picture; another version of rich draws them elsewhere."""
    return re.findall(r"<text [^>]*>([^<]*)</text>", svg)


def test_the_picture_is_current() -> None:
    example = ROOT / "examples/servers/vllm-llama-3.1-8b"
    stack = ROOT / "stacks/Pulumi.production.yaml"
    words = ["explain", "--stack", str(stack), "--format", "svg", str(example)]
    shown = CliRunner().invoke(app, words).stdout
    assert texts(shown)
    assert texts((ROOT / "docs/pictures/llama.svg").read_text()) == texts(shown), "run `make docs`"


def test_every_model_of_a_stage_has_a_section() -> None:
    models = json_schema(Stage)["$defs"]
    objects = [name for name, model in models.items() if "properties" in model]
    page = (ROOT / "docs/stage.md").read_text()
    assert [name for name in objects if f"\n## {name}\n" not in page] == []
    for name in objects:
        for field in models[name]["properties"]:
            assert f"`{field}`" in page, json.dumps([name, field])


def test_the_page_of_labels_has_every_label_and_annotation() -> None:
    config = ROOT / "examples/servers/minilm-embeddings"
    named = set(re.findall(r"`([a-z.-]+/[a-zA-Z.{}-]+)`", (ROOT / "docs/labels.md").read_text()))
    found: set[str] = set()
    for form in FORMS.values():
        stage = Stage.model_validate({**COMMON, **form})
        folder = load_config_folder(config)
        made = objects(build_plan(Given(folder, stage.for_server("one"), "one", UNKNOWN, ())))
        pods = [one["spec"]["template"] for one in made if one["kind"] == "Deployment"]
        for about in (one["metadata"] for one in (*made, *pods)):
            found |= about.get("labels", {}).keys() | about.get("annotations", {}).keys()
    own = {name for name in found if name.startswith(("trussform/", "app.kubernetes.io/"))}
    assert "trussform/config.yaml" in own
    assert own - named == set()
