"""The base of both schemas, config and stage, and what they say when data does not fit."""

import difflib
from typing import Any, TypeVar

import pydantic
from pydantic_core import ErrorDetails, PydanticCustomError

from trussform.problem import Keys, Problem, Refused, dotted
from trussform.source import Source


class Model(pydantic.BaseModel):
    """A part of a file: frozen, and closed to fields it does not name."""

    model_config = pydantic.ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), use_attribute_docstrings=True
    )


M = TypeVar("M", bound=Model)


def refuse(message: str, help: str) -> PydanticCustomError:
    """What a validator raises: what is wrong, and what to do."""
    return PydanticCustomError("refused", "{message}", {"message": message, "help": help})


def fit(model: type[M], source: Source) -> M:
    """The source's data as `model`; raises `Refused` with every misfit at its line."""
    if not isinstance(source.data, dict):
        raise Refused(
            [
                Problem(
                    source.place(()),
                    "",
                    f"expected fields and values, found {_kind(source.data)}",
                    "write `field: value` lines",
                )
            ]
        )
    try:
        return model.model_validate(source.data)
    except pydantic.ValidationError as error:
        details = error.errors(include_url=False)
        raise Refused([_problem(model, source, detail) for detail in details]) from None


_EXPECTED = {
    "string_type": ("text", "put the value in quotes"),
    "int_type": ("a whole number", "write a number without quotes"),
    "int_parsing": ("a whole number", "write a number without quotes"),
    "int_from_float": ("a whole number", "write it without a fraction"),
    "float_type": ("a number", "write a number without quotes"),
    "float_parsing": ("a number", "write a number without quotes"),
    "bool_type": ("true or false", "write true or false"),
    "bool_parsing": ("true or false", "write true or false"),
    "list_type": ("a list", "write the items as lines that start with `- `"),
    "tuple_type": ("a list", "write the items as lines that start with `- `"),
    "dict_type": ("fields and values", "write `name: value` lines"),
    "model_type": ("fields and values", "write `name: value` lines"),
    "model_attributes_type": ("fields and values", "write `name: value` lines"),
}


def _problem(model: type[Model], source: Source, detail: ErrorDetails) -> Problem:
    keys = _keys(source, detail)
    kind, context = detail["type"], detail.get("ctx", {})
    place = source.place(keys)
    if kind == "missing":
        message, help = "required field is missing", f"add `{keys[-1]}: …` here"
    elif kind == "extra_forbidden":
        place = source.name_place(keys)
        message, help = "unknown field", _suggestion(str(keys[-1]), _fields(model, keys[:-1]))
    elif kind == "refused":
        message, help = context["message"], context["help"]
    elif kind in ("literal_error", "enum", "union_tag_invalid"):
        allowed = str(context.get("expected") or context.get("expected_tags"))
        message, help = f"{_shown(detail['input'])} is not allowed", f"use one of {allowed}"
    elif kind == "union_tag_not_found":
        message, help = "the field `kind` is missing", "add `kind: …` here"
    elif kind in _EXPECTED:
        expected, help = _EXPECTED[kind]
        message = f"expected {expected}, found {_kind(detail['input'])}"
    else:
        message, help = detail["msg"][:1].lower() + detail["msg"][1:], "change the value to fit"
    return Problem(place, dotted(keys), message, help)


def _keys(source: Source, detail: ErrorDetails) -> Keys:
    """The error's location, without the names that pydantic adds for the arms of a union."""
    keys: Keys = ()
    data = source.data
    last = len(detail["loc"]) - 1
    for i, key in enumerate(detail["loc"]):
        if isinstance(data, dict) and key in data:
            data = data[key]
        elif isinstance(data, list) and isinstance(key, int) and key < len(data):
            data = data[key]
        elif not (i == last and detail["type"] == "missing"):
            continue
        keys = (*keys, key)
    return keys


def _fields(model: type[Model], keys: Keys) -> list[str]:
    """The names allowed at `keys`, as far as plain nesting of models shows them."""
    for key in keys:
        field = model.model_fields.get(str(key))
        inner = _inner(field.annotation) if field else None
        if inner is None:
            return []
        model = inner
    return [field.alias or name for name, field in model.model_fields.items()]


def _inner(annotation: Any) -> type[Model] | None:
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, Model) else None
    for part in getattr(annotation, "__args__", ()):
        if found := _inner(part):
            return found
    return None


def _suggestion(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"did you mean `{close[0]}`?"
    if 0 < len(known) <= 8:
        return f"remove it, or use one of {', '.join(known)}"
    return "remove it; `trussform schema` lists the fields"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _kind(value: Any) -> str:
    """The type of a value, never the value: it could be a secret in the wrong place."""
    names = {dict: "fields and values", list: "a list", str: "text", type(None): "nothing"}
    return names.get(type(value), f"a value of type {type(value).__name__}")
