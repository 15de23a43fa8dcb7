"""`make docs`: prints docs/component.md, the arguments and outputs of the component."""

from typing import Any

from trussform.deploy.package_schema import COMPONENT, snake
from trussform.deploy.provider import schema

HEAD = """# Arguments and outputs of the component

Made by `make docs` from the schema of the Pulumi package. Python writes the names in the second
column. An argument in **bold** is required.
[In your program](in-your-program.md) shows examples."""
Json = dict[str, Any]


def main() -> None:
    print(page())


def page() -> str:
    """Returns the page: arguments, platform values and outputs."""
    made = schema()
    component = made["resources"][COMPONENT]
    types = made["types"]
    parts: list[tuple[str, Json, list[str]]] = [
        ("Arguments", component["inputProperties"], component["requiredInputs"]),
        *(
            (f"`{field}`", found["properties"], found["required"])
            for field, found in (
                ("platform", types["trussform:index:Platform"]),
                ("platform.gateway", types["trussform:index:Gateway"]),
            )
        ),
        ("Outputs", component["properties"], []),
    ]
    return "\n\n".join([HEAD, *(_section(*part) for part in parts)])


def _section(title: str, fields: Json, required: list[str]) -> str:
    rows = [
        f"| {f'**`{name}`**' if name in required else f'`{name}`'} | `{snake(name)}` "
        f"| {_type(spec)}{_plain(spec, title)} | {' '.join(spec['description'].split())} |"
        for name, spec in fields.items()
    ]
    head = ["| name | in Python | type | meaning |", "| --- | --- | --- | --- |"]
    return f"## {title}\n\n" + "\n".join([*head, *rows])


def _type(spec: Json) -> str:
    kind = spec.get("type", "").replace("string", "text")
    if reference := spec.get("$ref", "").rpartition(":")[2]:
        fields = {"Stage": "stage.md", "Server": "stage.md#server"}
        kind = f"[{reference}]({fields[reference]})" if reference in fields else reference
    elif kind == "object":
        kind = f"mapping of {_type(spec['additionalProperties'])}"
    return kind


def _plain(spec: Json, title: str) -> str:
    if title == "Outputs":
        return ""
    return ", plain" if spec.get("plain") else ", may be an output"


if __name__ == "__main__":
    main()
