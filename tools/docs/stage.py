"""`make docs`: prints docs/stage.md, every field of a stage."""

from collections.abc import Iterator
from typing import Any, cast

from trussform.schema import json_schema
from trussform.source import is_mapping
from trussform.stage import Stage

HEAD = """# Fields of a stage

Made by `make docs` from `components/trussform/stage/`.

A stage is the value of `trussform:stage` in a stack file, and the argument `stage` of
`DockerServer`. `trussform schema stage` prints its JSON Schema for an editor. A field in **bold**
is required."""
Json = dict[str, Any]


def main() -> None:
    print(page())


def page() -> str:
    """Returns the page: a section for each model, in the order in which the fields name them."""
    schema = json_schema(Stage)
    models: dict[str, Json] = schema["$defs"]
    order = list(dict.fromkeys(_named(schema, models)))
    sections = [_section("Stage", schema, models)]
    sections += [_section(name, models[name], models) for name in order]
    return "\n\n".join([HEAD, *sections])


def _named(part: Json, models: dict[str, Json]) -> Iterator[str]:
    """Yields the models that the fields of a model name, and then those that these name."""
    names = list(dict.fromkeys(_references(part.get("properties", {}))))
    objects = [name for name in names if "properties" in models[name]]
    yield from objects
    for name in objects:
        yield from _named(models[name], models)


def _references(part: Any) -> Iterator[str]:
    if is_mapping(part):
        for key, value in part.items():
            if key == "$ref":
                yield value.rpartition("/")[2]
            elif key != "discriminator":
                yield from _references(value)
    elif isinstance(part, list):
        for value in cast(list[Any], part):
            yield from _references(value)


def _section(name: str, model: Json, models: dict[str, Json]) -> str:
    required = model.get("required", [])
    rows = [
        f"| {f'**`{field}`**' if field in required else f'`{field}`'} | {_type(part, models)} "
        f"| {_cell(part.get('description', ''))} |"
        for field, part in model["properties"].items()
    ]
    table = "\n".join(["| field | type | meaning |", "| --- | --- | --- |", *rows])
    return f"## {name}\n\n{model['description']}\n\n{table}"


def _type(part: Json, models: dict[str, Json]) -> str:
    if alternatives := part.get("anyOf") or part.get("oneOf"):
        kinds = [_type(one, models) for one in alternatives if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        model = models[name]
        return f"[{name}](#{name.lower()})" if "properties" in model else _type(model, models)
    if words := part.get("enum") or [part[key] for key in ("const",) if key in part]:
        return " or ".join(f"`{word}`" for word in words)
    if part.get("type") == "array":
        return f"list of {_type(part['items'], models)}"
    if part.get("type") == "object":
        values = part.get("additionalProperties")
        return f"mapping of {_type(values, models)}" if is_mapping(values) else "mapping"
    return {"string": "text", "integer": "whole number", "boolean": "true or false"}.get(
        part.get("type", ""), "anything"
    )


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    main()
