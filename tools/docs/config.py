"""`make docs`: prints docs/config.md, the support of every field of a config."""

import json
from collections.abc import Iterator
from typing import Any

from trussform.config import Config
from trussform.config.support import SUPPORT
from trussform.schema import json_schema

HEAD = """# Fields of a config

Made by `make docs` from `components/trussform/config/`. The fields are Truss's.

- **supported**: the field means the same as in Truss.
- **mapped**: the field becomes a Kubernetes field.
- **ignored**: Trussform has no use for the field, and warns.
- **refused**: the field is an error, unless its value asks for nothing.

| field | support | type | default | result |
| --- | --- | --- | --- | --- |"""


def main() -> None:
    print(HEAD)
    schema = json_schema(Config)
    known = dict(fields(schema, schema["$defs"], ""))
    for name, support in SUPPORT.items():
        kind, default = known.get(name, ("", ""))
        print(f"| `{name}` | {support.kind} | {kind} | {default} | {support.text} |")


def fields(
    part: dict[str, Any], models: dict[str, Any], prefix: str
) -> Iterator[tuple[str, tuple[str, str]]]:
    """Type and default of each field by its path."""
    for name, field in part.get("properties", {}).items():
        path = f"{prefix}{name}"
        required = name in part.get("required", [])
        yield path, (kind(field, models), "required" if required else default(field))
        yield from fields(model(field, models), models, f"{path}.")


def model(field: dict[str, Any], models: dict[str, Any]) -> dict[str, Any]:
    """The model that a field holds; empty where it holds none."""
    for reference in (field, *field.get("anyOf", [])):
        if "$ref" in reference:
            return models[reference["$ref"].rpartition("/")[2]]
    return {}


def kind(field: dict[str, Any], models: dict[str, Any]) -> str:
    if choices := field.get("anyOf") or field.get("oneOf"):
        kinds = [kind(choice, models) for choice in choices]
        return " or ".join(dict.fromkeys(kinds))
    if "$ref" in field:
        return kind(model(field, models), models)
    if "const" in field or "enum" in field:
        return " or ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    types = field.get("type", "anything")
    if types == "object" and "kind" in field.get("properties", {}):
        return f"`{{kind: {field['properties']['kind']['const']}}}`"
    names = {"object": "mapping", "array": "list"}
    words = [names.get(name, name) for name in ([types] if isinstance(types, str) else types)]
    return " or ".join(words) + bounds(field)


def bounds(field: dict[str, Any]) -> str:
    low, high = field.get("minimum"), field.get("maximum")
    if low is None:
        return ""
    return f", {low:,} or more" if high is None else f", {low:,} to {high:,}"


def default(field: dict[str, Any]) -> str:
    value = field.get("default")
    if isinstance(value, dict):
        return ""
    return "" if value in (None, "", []) else f"`{json.dumps(value)}`"


if __name__ == "__main__":
    main()
