"""The schema of the Pulumi package, and the arguments' types that are made from it."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import pulumi
import pytest
from inline_snapshot import external_file
from support.schema_changes import breaking_changes
from support.stages import FORMS
from trussform.deploy.package_schema import camel
from trussform.deploy.provider import from_wire, schema
from trussform.source import is_mapping

from docs import stage_args as generated

SCHEMA = schema()
STAGE = {"$ref": "#/types/trussform:index:Stage"}


def test_no_change_of_the_schema_breaks_a_program() -> None:
    """A change that must be goes into CHANGELOG.md and the snapshot."""
    before = json.loads((Path(__file__).parent / "package_schema.json").read_text())
    assert list(breaking_changes(before, SCHEMA)) == []


SERVER = "trussform:index:DockerServer"
ROUTE = "trussform:index:Route"


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        (("resources", SERVER), None, f"{SERVER}: the component is gone"),
        (("types", ROUTE), None, f"{ROUTE}: the type is gone"),
        (("types", ROUTE, "properties", "name"), None, f"{ROUTE}.name: the field is gone"),
        (
            ("types", ROUTE, "properties", "name", "type"),
            "integer",
            f"{ROUTE}.name: the type is another one",
        ),
        (("types", ROUTE, "required"), ["name"], f"{ROUTE}.name: a program must now set it"),
        (
            ("types", f"{ROUTE}Kind", "enum"),
            [{"value": "gateway"}, {"value": "none"}],
            f"{ROUTE}Kind: the value `ingress` is gone",
        ),
        (
            ("resources", SERVER, "inputProperties", "secrets", "plain"),
            True,
            f"{SERVER}.secrets: the field does not accept an output now",
        ),
        (
            ("resources", SERVER, "inputProperties", "secrets", "secret"),
            False,
            f"{SERVER}.secrets: the value is not a secret now",
        ),
        (
            ("resources", SERVER, "required"),
            ["image", "namespace", "predictUrl", "service", "syncUrl"],
            f"{SERVER}.environment: the output may now be missing",
        ),
    ],
)
def test_a_change_that_breaks_programs_is_named(
    path: tuple[str, ...], value: Any, complaint: str
) -> None:
    changed = deepcopy(SCHEMA)
    *above, last = path
    parent = changed
    for key in above:
        parent = parent[key]
    if value is None:
        del parent[last]
    else:
        parent[last] = value
    assert list(breaking_changes(SCHEMA, changed)) == [complaint]


def test_the_schema_is_as_it_was() -> None:
    shown = {**SCHEMA, "version": "VERSION"}
    assert f"{json.dumps(shown, indent=2)}\n" == external_file("package_schema.json", format=".txt")


def test_the_types_of_the_arguments_are_made_from_the_models() -> None:
    assert generated.FILE.read_text() == generated.text(), "run `make docs`"


def references(part: Any) -> Iterator[str]:
    if is_mapping(part):
        if reference := part.get("$ref"):
            yield cast(str, reference)
        for inner in part.values():
            yield from references(inner)
    for inner in cast(list[Any], part) if isinstance(part, list) else ():
        yield from references(inner)


def test_only_a_patch_of_a_config_and_a_trigger_of_keda_have_any_type() -> None:
    found = list(references(SCHEMA))
    assert found.count("pulumi.json#/Any") == 2
    named = {reference.removeprefix("#/types/") for reference in found} - {"pulumi.json#/Any"}
    assert named == set(SCHEMA["types"])
    patch = SCHEMA["types"]["trussform:index:Server"]["properties"]["config"]
    assert patch["additionalProperties"] == {"$ref": "pulumi.json#/Any", "plain": True}


def test_every_field_of_the_arguments_has_a_description() -> None:
    bare = [
        f"{name}.{field}"
        for name, made in SCHEMA["types"].items()
        for field, spec in made.get("properties", {}).items()
        if not spec.get("description")
    ]
    assert bare == []


def in_camel(value: Any, spec: Any) -> Any:
    """Returns a value of the stage as another language sends it."""
    spec = SCHEMA["types"].get(spec.get("$ref", "").removeprefix("#/types/"), spec)
    if is_mapping(value) and "properties" in spec:
        return {
            camel(key): in_camel(part, spec["properties"][camel(key)])
            for key, part in value.items()
        }
    if is_mapping(value):
        inner = spec.get("additionalProperties", {})
        return {key: in_camel(part, inner) for key, part in value.items()}
    if isinstance(value, list):
        return [in_camel(part, spec.get("items", {})) for part in cast(list[Any], value)]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_stage_crosses_the_wire(form: str) -> None:
    stage = {key: value for key, value in FORMS[form].items() if key not in NOT_HERE}
    stage = {key: LONG.get((key, str(value)), value) for key, value in stage.items()}
    assert from_wire(in_camel(stage, STAGE), STAGE, SCHEMA["types"]) == stage


NOT_HERE = ("servers", "create_namespace")
LONG: dict[tuple[str, str], Any] = {("secrets", "pulumi"): {}}
"""Texts of a stack file that the arguments write in another way."""


def test_keys_of_the_users_own_keep_their_spelling() -> None:
    wire = {"config": {"environment_variables": {"myVar": "x"}, "newField": {"aB": 8000.0}}}
    spec = {"$ref": "#/types/trussform:index:Server"}
    assert from_wire(wire, spec, SCHEMA["types"]) == {
        "config": {"environment_variables": {"myVar": "x"}, "newField": {"aB": 8000}}
    }


def test_an_unknown_field_keeps_its_name() -> None:
    assert from_wire({"replicaz": 1.0}, STAGE, SCHEMA["types"]) == {"replicaz": 1}


def test_an_output_stays_one() -> None:
    found = from_wire({"namespace": pulumi.Output.from_input("a")},
                      {"$ref": "#/types/trussform:index:Platform"}, SCHEMA["types"])  # fmt: skip
    assert isinstance(found["namespace"], pulumi.Output)
