"""The fates of fields: complete against Truss's own schema, and the document made of them."""

# pyright: reportMissingTypeStubs=false

import subprocess
import sys
from collections.abc import Iterator
from typing import get_args

import pydantic
from support.workspace import ROOT
from truss.base.truss_config import TrussConfig
from trussform.config import Config
from trussform.config.support import SUPPORT

NOT_IN_TRUSS_SCHEMA = {
    "hf_cache",
    "resources.use_gpu",
    "model_metadata.example_model_input",
}
"""Names that Truss reads and does not keep."""


def paths(model: type[pydantic.BaseModel], prefix: str = "") -> Iterator[str]:
    """Every field of a model by its path, those of models in it after their own."""
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, pydantic.BaseModel):
                yield from paths(part, f"{prefix}{name}.")


def has_fate(path: str) -> bool:
    """Returns true if the table has the field, a part of it, or the field that contains it."""
    whole = {path.rsplit(".", count)[0] for count in range(path.count(".") + 1)}
    return bool(whole & SUPPORT.keys()) or any(name.startswith(f"{path}.") for name in SUPPORT)


def test_every_field_of_truss_has_a_fate() -> None:
    assert [path for path in paths(TrussConfig) if not has_fate(path)] == []


def test_every_field_that_is_read_has_a_fate() -> None:
    assert [path for path in paths(Config) if not has_fate(path)] == []


def test_every_fate_is_that_of_a_field_which_truss_knows() -> None:
    assert SUPPORT.keys() - set(paths(TrussConfig)) == NOT_IN_TRUSS_SCHEMA


def test_the_document_of_the_fields_is_as_the_code_has_it() -> None:
    command = [sys.executable, str(ROOT / "tools/docs/config.py")]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert made == (ROOT / "docs/config.md").read_text(), "run `make docs`"
