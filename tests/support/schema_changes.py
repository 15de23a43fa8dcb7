"""The differences between two schemas of the package that break a user's program."""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]


def breaking_changes(before: Json, after: Json) -> Iterator[str]:
    """Yields a sentence for each difference that breaks a program written for `before`."""
    for token, old in before["resources"].items():
        new = after["resources"].get(token)
        if new is None:
            yield f"{token}: the component is gone"
            continue
        yield from _inputs(token, _object(old, "input"), _object(new, "input"))
        yield from _outputs(token, old, new)
    for token, old in before["types"].items():
        new = after["types"].get(token)
        if new is None:
            yield f"{token}: the type is gone"
        elif "enum" in old:
            gone = {one["value"] for one in old["enum"]} - {one["value"] for one in new["enum"]}
            yield from (f"{token}: the value `{value}` is gone" for value in sorted(gone))
        else:
            yield from _inputs(token, old, new)


def _object(resource: Json, kind: str) -> Json:
    required = resource[f"required{kind.capitalize()}s"]
    return {"properties": resource[f"{kind}Properties"], "required": required}


def _inputs(owner: str, old: Json, new: Json) -> Iterator[str]:
    yield from _properties(owner, old["properties"], new["properties"])
    for field in sorted(set(new["required"]) - set(old["required"])):
        yield f"{owner}.{field}: a program must now set it"


def _outputs(owner: str, old: Json, new: Json) -> Iterator[str]:
    yield from _properties(owner, old["properties"], new["properties"])
    for field in sorted(set(old["required"]) - set(new["required"])):
        yield f"{owner}.{field}: the output may now be missing"


def _properties(owner: str, old: Json, new: Json) -> Iterator[str]:
    for field, before in old.items():
        if field not in new:
            yield f"{owner}.{field}: the field is gone"
        elif _type(before) != _type(new[field]):
            yield f"{owner}.{field}: the type is another one"
        elif new[field].get("plain") and not before.get("plain"):
            yield f"{owner}.{field}: the field does not accept an output now"
        elif before.get("secret") and not new[field].get("secret"):
            yield f"{owner}.{field}: the value is not a secret now"


def _type(spec: Any) -> Any:
    """Returns the type of a field alone."""
    if isinstance(spec, dict):
        about = ("description", "plain", "secret")
        return {key: _type(part) for key, part in spec.items() if key not in about}  # pyright: ignore
    return spec
