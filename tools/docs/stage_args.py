"""Writes the TypedDicts of the stage's arguments, from the types of the Pulumi package."""

import re
import textwrap
from pathlib import Path
from typing import Any

from trussform.deploy.package_schema import snake, stage_types

FILE = Path(__file__).parents[2] / "components/trussform/deploy/stage_args.py"
_HEAD = '''\
"""The types of the stage's arguments. Made by `make docs` from the models of the stage."""

from typing import Any, Literal, Required, TypedDict


'''
_PRIMITIVES = {"string": "str", "integer": "int", "boolean": "bool"}


def text() -> str:
    """Returns the module with a TypedDict for each object."""
    types = stage_types()
    objects = {name: made for name, made in types.items() if "properties" in made}
    classes = [_class(name, made, types) for name, made in sorted(objects.items())]
    return _HEAD + "\n\n".join(classes)


def _class(name: str, made: Any, types: dict[str, Any]) -> str:
    lines = [f"class {name}Args(TypedDict, total=False):", *_docstring(made["description"]), ""]
    for field, spec in made["properties"].items():
        kind = _type(spec, types)
        kind = f"Required[{kind}]" if field in made["required"] else kind
        lines.append(f"    {snake(field)}: {kind}")
        lines += _docstring(spec["description"]) if "description" in spec else []
    return "\n".join(lines) + "\n"


def _type(spec: Any, types: dict[str, Any]) -> str:
    if "oneOf" in spec:
        return " | ".join(_type(arm, types) for arm in spec["oneOf"])
    if reference := spec.get("$ref", ""):
        name = reference.rpartition(":")[2]
        if name not in types:
            return "Any"
        if words := types[name].get("enum"):
            return f"Literal[{', '.join(repr(word['value']) for word in words)}]".replace("'", '"')
        return f'"{name}Args"'
    if spec["type"] == "array":
        return f"list[{_type(spec['items'], types)}]"
    if spec["type"] == "object":
        return f"dict[str, {_type(spec['additionalProperties'], types)}]"
    return _PRIMITIVES[spec["type"]]


def _docstring(description: str) -> list[str]:
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\n", description)]
    first, *rest = [textwrap.wrap(part, 90) for part in paragraphs]
    lines = [*first, *(line for part in rest for line in ("", *part))]
    if len(lines) == 1:
        return [f'    """{lines[0]}"""']
    end = '"""' if not rest else '\n    """'
    body = "\n".join(f"    {line}" if line else "" for line in lines[1:])
    return [f'    """{lines[0]}', f"{body}{end}"]


if __name__ == "__main__":
    FILE.write_text(text())
