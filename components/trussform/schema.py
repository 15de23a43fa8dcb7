"""The base of the schemas of config and stage, and their error messages."""

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


def _add_descriptions(schema: dict[str, Any], model: type[pydantic.BaseModel]) -> None:
    """Adds the docstrings of the model's fields to its JSON Schema.

    Pydantic's `use_attribute_docstrings` would parse the source at every import.
    """
    for part in reversed(model.__mro__[: model.__mro__.index(Model)]):
        for name, text in descriptions(part).items():
            schema["properties"][name]["description"] = text


def descriptions(owner: type) -> dict[str, str]:
    """Returns the docstrings below the annotated fields of a class, by field."""
    texts: dict[str, str] = {}
    (definition,) = ast.parse(dedent(inspect.getsource(owner))).body
    for field, below in pairwise(cast(ast.ClassDef, definition).body):
        match field, below:
            case ast.AnnAssign(ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                texts[name] = inspect.cleandoc(text)
            case _:
                pass
    return texts


class Model(pydantic.BaseModel):
    """A part of a file. It is frozen, and unknown fields are errors."""

    renamed: ClassVar[Mapping[str, str]] = {}
    """New names of fields by their former names; the error for a former name gives the new one."""
    refused: ClassVar[Mapping[str, tuple[str, str]]] = {}
    """The message and the fix for each field that is known and not supported."""

    model_config = pydantic.ConfigDict(
        extra="forbid",
        frozen=True,
        protected_namespaces=(),
        defer_build=True,
        json_schema_extra=_add_descriptions,
    )


M = TypeVar("M", bound=Model)

MAX_PROBLEMS = 1000
"""The most problems of one file that are listed."""


def _reject_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise invalid("expected a whole number, found true or false", "write a number")
    return value


Int = Annotated[int, pydantic.BeforeValidator(_reject_boolean)]
"""A whole number, without `true` and `false`, which pydantic would take for 1 and 0."""


def text_or_number(value: Any) -> str:
    """Returns the tag of a value in a union of a word, `<text>`, and a number, `<number>`."""
    return "<text>" if isinstance(value, str) else "<number>"


def number_or(word: str) -> pydantic.BeforeValidator:
    """Returns the check of a field that takes a whole number or one word."""

    def check(value: Any) -> Any:
        if isinstance(value, str) and value != word:
            raise invalid("expected a whole number, found text", f"write a number, or `{word}`")
        return value

    return pydantic.BeforeValidator(check)


def json_schema(model: type[Model]) -> dict[str, Any]:
    """Returns the model's JSON Schema, with pydantic's `ge` and `le` as `minimum` and `maximum`."""
    names = {"ge": "minimum", "le": "maximum"}

    def rename(part: Any) -> Any:
        if isinstance(part, list):
            return [rename(item) for item in cast(list[Any], part)]
        if is_mapping(part):
            return {names.get(name, name): rename(value) for name, value in part.items()}
        return part

    return rename(model.model_json_schema())


def invalid(message: str, fix: str) -> PydanticCustomError:
    """Returns the error that a validator raises: a message, and a fix in the imperative."""
    return PydanticCustomError("invalid", "{message}", {"message": message, "fix": fix})


def fit(model: type[M], source: Source) -> M:
    """Returns the source's data as a `model`; raises `ProblemError` with every problem."""
    if not is_mapping(source.data):
        message = f"expected fields and values, found {_type_name(source.data)}"
        fix, location = "write `name: value` lines", source.location(())
        raise ProblemError([Problem(None, (), message, fix, location=location)])
    problems = list(dict.fromkeys(source.problems))
    try:
        value = model.model_validate(source.data)
    except pydantic.ValidationError as error:
        details = error.errors(include_url=False)
        problems += [_problem(model, source, detail) for detail in details[:MAX_PROBLEMS]]
        if len(details) > MAX_PROBLEMS:
            message = f"the file has {len(details):,} problems; {MAX_PROBLEMS:,} are listed"
            fix = "fix these first"
            problems.append(Problem(None, (), message, fix, location=source.location(())))
        raise ProblemError(problems) from None
    if problems:
        raise ProblemError(problems)
    return value


def _unknown_field(models: list[type[Model]], name: str) -> tuple[str, str]:
    """Returns the message and the fix for a field that none of the models has."""
    for model in models:
        if name in model.refused:
            return model.refused[name]
        if new := model.renamed.get(name):
            block, nested, _ = new.partition(".")
            fix = f"move it to the block `{block}`" if nested else f"rename it to `{new}`"
            return f"the field is now `{new}`", fix
    others = [known for model in models for known in model.model_fields if known != name]
    return "unknown field", _suggest_field(name, list(dict.fromkeys(others)))


_TYPES = {
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
"""The expected type and the fix, by pydantic's type of error."""


def _problem(model: type[Model], source: Source, detail: ErrorDetails) -> Problem:
    path = _path(model, source, detail)
    kind, context = detail["type"], detail.get("ctx", {})
    location = source.location(path)
    if kind == "missing":
        message, fix = "required field is missing", f"add `{path[-1]}: …` here"
    elif kind == "extra_forbidden":
        location = source.key_location(path)
        message, fix = _unknown_field(_models(model, detail["loc"]), str(path[-1]))
    elif kind == "invalid":
        message, fix = context["message"], context["fix"]
        if detail["loc"][-1:] == ("[key]",):
            location = source.key_location(path)
    elif kind in ("literal_error", "enum", "union_tag_invalid"):
        allowed = str(context.get("expected") or context.get("expected_tags"))
        value = detail["input"]
        if kind == "union_tag_invalid":
            value = value[path[-1]]
        message, fix = f"{_show(value)} is not allowed", _suggest_value(value, allowed)
    elif kind == "union_tag_not_found":
        message, fix = "the field `kind` is missing", "add `kind: …` here"
    elif kind in _TYPES:
        expected, fix = _TYPES[kind]
        message = f"expected {expected}, found {_type_name(detail['input'])}"
    else:
        message, fix = detail["msg"][:1].lower() + detail["msg"][1:], "change the value to fit"
    return Problem(None, path, message, fix, location=location)


def _path(model: type[Model], source: Source, detail: ErrorDetails) -> FieldPath:
    """Returns the path of an error in the file.

    Pydantic's own path also has a tag for each union. For `route: {kind: gatway}` it lacks `kind`.
    """
    path: FieldPath = ()
    data = source.data
    last = len(detail["loc"]) - 1
    for i, key in enumerate(detail["loc"]):
        marker = key == "[key]" and not (is_mapping(data) and key in data)
        named = is_mapping(data) and not marker
        if (named and key in data) or _has_index(data, key):
            data = cast(Any, data)[key]
        elif not (i == last and named and key in _fields(model, detail["loc"])):
            continue
        path = (*path, key)
    if detail["type"] == "union_tag_invalid":
        path = (*path, detail.get("ctx", {})["discriminator"].strip("'"))
    return path


def _has_index(data: Any, key: Key) -> bool:
    return isinstance(data, list) and isinstance(key, int) and key < len(cast(list[Any], data))


def _fields(model: type[Model], loc: tuple[Key, ...]) -> list[str]:
    """Returns the names of the fields that are allowed at the end of `loc`."""
    models = _models(model, loc)
    return list(dict.fromkeys(name for part in models for name in part.model_fields))


def _models(model: type[Model], loc: tuple[Key, ...]) -> list[type[Model]]:
    """Returns the models at the end of `loc`; a union may have several."""
    annotation: Any = model
    for key in loc[:-1]:
        annotation = _step(annotation, key)
    return [part for part in _parts(annotation) if _is_model(part)]


def _step(annotation: Any, key: Key) -> Any:
    """Returns the type under `key`: of a field, of a dict's value, or an arm of a union."""
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


def _suggest_field(name: str, known: list[str]) -> str:
    if near := _did_you_mean(name, known):
        return near
    if 0 < len(known) <= 8:
        return f"remove it, or use one of {', '.join(known)}"
    return "remove it; `trussform schema` lists the fields"


def _suggest_value(value: Any, allowed: str) -> str:
    near = (
        _did_you_mean(value.lower(), re.findall(r"'([^']+)'", allowed))
        if isinstance(value, str)
        else ""
    )
    return f"{near} Use one of {allowed}" if near else f"use one of {allowed}"


def _did_you_mean(name: str, known: list[str]) -> str:
    import difflib  # Imported here, because only errors need it.

    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean `{close[0]}`?" if close else ""


def _show(value: Any) -> str:
    """Returns a plain word as it is, and the type of any other value: it may be a secret."""
    plain = isinstance(value, str) and re.fullmatch(r"[a-z_-]{1,20}", value)
    return f"`{value}`" if plain else _type_name(value)


def _type_name(value: Any) -> str:
    """Returns the name of a value's type, never the value, which may be a secret."""
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
