"""The settings of a cluster, as cluster.yaml has them."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from support.workspace import ROOT
from testbed import settings
from testbed.places import SETTINGS
from testbed.settings import Images, Settings

EXAMPLE = ROOT / "tools/testbed/cluster.example.yaml"


def test_the_example_has_every_field() -> None:
    read = settings.read(EXAMPLE).model_dump()
    assert read.keys() == Settings.model_fields.keys()
    assert read["images"].keys() == Images.model_fields.keys()


def test_what_the_testbed_writes_is_what_the_tests_read(tmp_path: Path) -> None:
    settings.write(SETTINGS, tmp_path / "cluster.yaml")
    assert settings.read(tmp_path / "cluster.yaml") == SETTINGS


def test_a_misspelled_field_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(EXAMPLE.read_text().replace("registry: reg", "regsitry: reg", 1))
    with pytest.raises(ValidationError, match="regsitry"):
        settings.read(file)


def test_a_variable_that_names_no_file_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings.VARIABLE, "/nowhere/cluster.yaml")
    with pytest.raises(FileNotFoundError, match="/nowhere/cluster"):
        settings.file()
