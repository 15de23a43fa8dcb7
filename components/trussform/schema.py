"""The base of both schemas, config and stage, and what they say when data does not fit."""

import ast
import inspect
import re
from collections.abc import Mapping
from itertools import pairwise
from textwrap import dedent
from types import UnionType
from typing import Annotated, Any, ClassVar, TypeVar, Union, cast, get_args, get_origin

import pydantic
from pydantic_core import ErrorDetails, PydanticCustomError

from trussform.problem import FieldPath, Key, Problem, ProblemError
from trussform.source import Source, is_mapping


def _described(schema: dict[str, Any], model: type[pydantic.BaseModel]) -> None:
    """Adds the docstrings of the model's fields to its JSON Schema.

    Pydantic's own `use_attribute_docstrings` parses the source at every import.
    """
    for part in reversed(model.__mro__[: model.__mro__.index(Model)]):
        (definition,) = ast.parse(dedent(inspect.getsource(part))).body
        for field, below in pairwise(cast(ast.ClassDef, definition).body):
            match field, below:
                case ast.AnnAssign(ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                    schema["properties"][name]["description"] = inspect.cleandoc(text)
                case _:
                    pass


class Model(pydantic.BaseModel):
    """A part of a file: frozen, and closed to fields it does not name."""

    renamed: ClassVar[Mapping[str, str]] = {}
    """New names by former ones; the error of a former name says the new one."""

    model_config = pydantic.ConfigDict(
        extra="forbid",
        frozen=True,
        protected_namespaces=(),
        defer_build=True,
        json_schema_extra=_described,
    )


M = TypeVar("M", bound=Model)

MAX_MISFITS = 1000
"""The most problems of one file that are shown."""


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise invalid("expected a whole number, found true or false", "write a number")
    return value


Int = Annotated[int, pydantic.BeforeValidator(_no_boolean)]
"""A whole number; pydantic alone would take `true` for 1."""


def json_schema(model: type[Model]) -> dict[str, Any]:
    """Returns the model's JSON Schema, with bounds as JSON Schema names them."""
    names = {"ge": "minimum", "le": "maximum"}

    def renamed(part: Any) -> Any:
        if isinstance(part, list):
            return [renamed(item) for item in cast(list[Any], part)]
        if is_mapping(part):
            return {names.get(name, name): renamed(value) for name, value in part.items()}
        return part

    return renamed(model.model_json_schema())


def invalid(message: str, fix: str) -> PydanticCustomError:
    """Returns the error that a validator raises: a message, and a fix in the imperative."""
    return PydanticCustomError("refused", "{message}", {"message": message, "fix": fix})


def fit(model: type[M], source: Source) -> M:
    """Returns the source's data as `model`; raises `ProblemError` with every problem."""
    if not is_mapping(source.data):
        raise ProblemError(
            [
                Problem(
                    None,
                    (),
                    f"expected fields and values, found {_kind(source.data)}",
                    "write `field: value` lines",
                    location=source.location(()),
                )
            ]
        )
    problems = list(dict.fromkeys(source.problems))
    try:
        fitting = model.model_validate(source.data)
    except pydantic.ValidationError as error:
        details = error.errors(include_url=False)
        problems += [_problem(model, source, detail) for detail in details[:MAX_MISFITS]]
        if more := details[MAX_MISFITS:]:
            message = f"{len(more):,} more problems are not shown"
            fix = "fix the others first"
            problems.append(Problem(None, (), message, fix, location=source.location(())))
        raise ProblemError(problems) from None
    if problems:
        raise ProblemError(problems)
    return fitting


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
    keys = _keys(model, source, detail)
    kind, context = detail["type"], detail.get("ctx", {})
    location = source.location(keys)
    if kind == "missing":
        message, fix = "required field is missing", f"add `{keys[-1]}: …` here"
    elif kind == "extra_forbidden":
        location = source.key_location(keys)
        name = str(keys[-1])
        if new := _renamed(model, detail["loc"]).get(name):
            message, fix = f"the field is now `{new}`", f"write `{new}` in its place"
        else:
            others = [known for known in _fields(model, detail["loc"]) if known != name]
            message, fix = "unknown field", _suggestion(name, others)
    elif kind == "refused":
        message, fix = context["message"], context["fix"]
        if detail["loc"][-1:] == ("[key]",):
            location = source.key_location(keys)
    elif kind in ("literal_error", "enum", "union_tag_invalid"):
        allowed = str(context.get("expected") or context.get("expected_tags"))
        value = detail["input"]
        if kind == "union_tag_invalid":
            value = value[keys[-1]]
        message, fix = f"{_shown(value)} is not allowed", _choice(value, allowed)
    elif kind == "union_tag_not_found":
        message, fix = "the field `kind` is missing", "add `kind: …` here"
    elif kind in _EXPECTED:
        expected, fix = _EXPECTED[kind]
        message = f"expected {expected}, found {_kind(detail['input'])}"
    else:
        message, fix = detail["msg"][:1].lower() + detail["msg"][1:], "change the value to fit"
    return Problem(None, keys, message, fix, location=location)


def _keys(model: type[Model], source: Source, detail: ErrorDetails) -> FieldPath:
    """Returns the path of an error: without pydantic's names for the arms of a union, and with the
    field that names the arm."""
    keys: FieldPath = ()
    data = source.data
    last = len(detail["loc"]) - 1
    for i, key in enumerate(detail["loc"]):
        marker = key == "[key]" and not (is_mapping(data) and key in data)
        named = is_mapping(data) and not marker
        if (named and key in data) or _has_index(data, key):
            data = cast(Any, data)[key]
        elif not (i == last and named and key in _fields(model, detail["loc"])):
            continue
        keys = (*keys, key)
    if detail["type"] == "union_tag_invalid":
        keys = (*keys, detail.get("ctx", {})["discriminator"].strip("'"))
    return keys


def _has_index(data: Any, key: Key) -> bool:
    return isinstance(data, list) and isinstance(key, int) and key < len(cast(list[Any], data))


def _fields(model: type[Model], loc: tuple[Key, ...]) -> list[str]:
    """Returns the names of the fields allowed where `loc` ends."""
    models = _models(model, loc)
    return list(dict.fromkeys(name for part in models for name in part.model_fields))


def _renamed(model: type[Model], loc: tuple[Key, ...]) -> dict[str, str]:
    """Returns the new names of fields that had another name in an earlier version."""
    return {old: new for part in _models(model, loc) for old, new in part.renamed.items()}


def _models(model: type[Model], loc: tuple[Key, ...]) -> list[type[Model]]:
    """Returns the models where `loc` ends; more than one if a union leaves it open."""
    annotation: Any = model
    for key in loc[:-1]:
        annotation = _step(annotation, key)
    return [part for part in _parts(annotation) if _is_model(part)]


def _step(annotation: Any, key: Key) -> Any:
    """Returns the type under `key`: of a field, a value of a dict, or an arm of a union."""
    for part in _parts(annotation):
        if _is_model(part) and key in part.model_fields:
            return part.model_fields[key].annotation
        if get_origin(part) in (dict, list):
            return get_args(part)[-1]
        if _is_model(part) and key in get_args(
            getattr(part.model_fields.get("kind"), "annotation", None)
        ):
            return part
    return annotation


def _parts(annotation: Any) -> list[Any]:
    """Returns the arms of a union, or the type alone, without `Annotated`."""
    if get_origin(annotation) is Annotated:
        return _parts(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [part for arm in get_args(annotation) for part in _parts(arm)]
    return [annotation]


def _is_model(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, Model)


def _suggestion(name: str, known: list[str]) -> str:
    if near := _near(name, known):
        return near
    if 0 < len(known) <= 8:
        return f"remove it, or use one of {', '.join(known)}"
    return "remove it; `trussform schema` lists the fields"


def _choice(value: Any, allowed: str) -> str:
    near = _near(value.lower(), re.findall(r"'([^']+)'", allowed)) if isinstance(value, str) else ""
    return f"{near} Use one of {allowed}" if near else f"use one of {allowed}"


def _near(name: str, known: list[str]) -> str:
    import difflib  # Imported here, as only a mistake needs it.

    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean `{close[0]}`?" if close else ""


def _shown(value: Any) -> str:
    """Returns a value that is a plain word; the type of others, which may be misplaced secrets."""
    plain = isinstance(value, str) and re.fullmatch(r"[a-z_-]{1,20}", value)
    return f"`{value}`" if plain else _kind(value)


def _kind(value: Any) -> str:
    """Returns the type of a value, never the value, which may be a misplaced secret."""
    names: dict[type[Any], str] = {
        dict: "fields and values",
        list: "a list",
        str: "text",
        bool: "true or false",
        int: "a number",
        float: "a number",
        type(None): "nothing",
    }
    kind = cast(type[Any], type(value))
    return names.get(kind, f"a value of type {kind.__name__}")
