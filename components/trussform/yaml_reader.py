"""Reads YAML files from untrusted sources, and keeps the location of every value.

A file that exceeds a limit of this module is a `ProblemError`. So are tags for Python objects, NUL
characters and text that is not UTF-8. A duplicate key is a problem of the `Source`.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import yaml

from trussform.problem import FieldPath, Location, Problem, ProblemError
from trussform.source import Source

MAX_BYTES = 1 << 20
"""The most bytes of a file: 1 MiB."""
MAX_DEPTH = 60
"""The most levels of nesting."""
_TOO_DEEP = f"the file has more than {MAX_DEPTH} levels of nesting"
MAX_VALUES = 20_000
"""The most values and keys of a file, with aliases expanded. A large real config has hundreds."""
MAX_LENGTH = 200_000
"""The most characters of one value or key; a pod cannot hold a longer one."""
MAX_DIRECTIVES = 100
"""The most lines like `%TAG …`. The parser compares each with all before it."""
MAX_DIGITS = 10_000
"""The most characters of a whole number. `1:59:59:…` takes quadratic time to parse."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "tag:yaml.org,2002:merge"
_INT = "tag:yaml.org,2002:int"
_TEXT = "tag:yaml.org,2002:str"
_COLLECTIONS = ("tag:yaml.org,2002:seq", "tag:yaml.org,2002:map")
_KEEP_ELSEWHERE = "keep data and weights in files of their own"


def read(path: Path) -> Source:
    """Returns the data of a YAML file.

    Raises `ProblemError` if the file cannot be read or exceeds a limit of this module, and if it is
    not one YAML document.
    """
    return parse(read_text(path), str(path))


def parse(text: str, path: str) -> Source:
    """Returns the data of a YAML text; locations name `path`. Raises `ProblemError` as `read`."""
    try:
        _check_shape(text, path)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            return _Walk(loader, path).source(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        location = Location(path, mark.line + 1, mark.column + 1) if mark else Location(path)
        reason = error.problem or error.context or "not valid YAML"
        if "nesting depth" in reason:  # PyYAML has a limit of its own since 6.0.4.
            raise _error(location, _TOO_DEEP, "use fewer levels") from None
        raise _error(location, f"not valid YAML: {reason}", "fix the YAML here") from None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        message = f"not valid YAML: the character {error.character!r} is not allowed"
        raise _error(Location(path, line, 1), message, "remove the character") from None


def read_text(path: Path) -> str:
    """Returns the text of a file; raises `ProblemError` if it cannot be read or is too large."""
    whole = Location(str(path))
    try:
        if not os.path.isfile(path):
            raise _error(whole, "no such file", "give the path of a file that exists")
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)  # stat() gives a size of 0 for files in /proc.
        if len(data) > MAX_BYTES:
            size = max(len(data), path.stat().st_size)
            raise _error(
                Location(str(path), 1, 1),
                f"the file has {size:,} bytes; the limit is {MAX_BYTES:,}",
                _KEEP_ELSEWHERE,
            )
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        location = Location(str(path), line, 1)
        raise _error(location, "the file is not UTF-8 text", "save the file as UTF-8") from None
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise _error(whole, reason.lower(), "make the file readable") from None


def _error(location: Location, message: str, fix: str) -> ProblemError:
    return ProblemError([Problem(None, (), message, fix, location=location)])


def _check_shape(text: str, path: str) -> None:
    """Raises `ProblemError` for a deep or large file, before recursive code reads it."""
    if text.count("\n%") > MAX_DIRECTIVES:
        raise _error(
            Location(path, 1, 1),
            "the file has too many directives",
            "remove the lines that begin with `%`",
        )
    if len(text) <= MAX_VALUES and _max_depth(text) <= MAX_DEPTH:
        return  # A file cannot have more values than characters.
    depth = count = 0
    events = yaml.parse(text, Loader=_Loader)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    for event in cast(Iterable[Any], events):
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
            continue
        count += 1
        depth += isinstance(event, yaml.CollectionStartEvent)
        location = Location(path, event.start_mark.line + 1, event.start_mark.column + 1)
        if depth > MAX_DEPTH:
            raise _error(location, _TOO_DEEP, "use fewer levels")
        if count > MAX_VALUES:
            message = f"the file has more than {MAX_VALUES:,} values"
            raise _error(location, message, _KEEP_ELSEWHERE)
        if isinstance(event, yaml.ScalarEvent) and len(event.value) > MAX_LENGTH:
            message = f"a value has more than {MAX_LENGTH:,} characters"
            raise _error(location, message, _KEEP_ELSEWHERE)


def _max_depth(text: str) -> int:
    """Returns an upper bound of the nesting: each level has its own bracket or column."""
    brackets = text.count("[") + text.count("{")
    lines = text.splitlines()
    columns = max((len(line) - len(line.lstrip(" -?:\t")) for line in lines), default=0)
    return brackets + 2 * (columns + 1)


class _Walk:
    """Turns the YAML nodes of one file into data and locations."""

    def __init__(self, loader: Any, path: str) -> None:
        self.loader = loader
        self.path = path
        self.values: dict[FieldPath, Location] = {}
        self.names: dict[FieldPath, Location] = {}
        self.duplicates: list[Problem] = []
        self.count = 0
        self.length = 0

    def source(self, node: yaml.Node | None) -> Source:
        whole = Location(self.path, 1, 1)
        if node is None:
            return Source({}, whole)
        data = self.value(node, ())
        return Source(data, whole, self.values, self.names, tuple(self.duplicates))

    def value(self, node: yaml.Node, path: FieldPath, merges: int = 0) -> Any:
        """Returns the data of the node at `path`, inside of as many merge keys as `merges`."""
        self.count_value(node, len(path) + merges)
        self.values[path] = self.location(node)
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node)
        if node.tag not in _COLLECTIONS:
            raise _error(
                self.location(node), f"not valid YAML: the tag {node.tag}", "remove the tag"
            )
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path, merges)
        return [self.value(child, (*path, i), merges) for i, child in enumerate(node.value)]

    def scalar(self, node: yaml.ScalarNode) -> Any:
        self.length += len(node.value)
        if self.length > MAX_BYTES:
            raise self.too_many_values(node)
        if "\0" in node.value:
            message = "the character NUL is not allowed in file names, variables and commands"
            raise _error(self.location(node), message, "remove the character")
        if node.tag == _TEXT:
            return node.value
        try:
            if node.tag == _INT and len(node.value) > MAX_DIGITS:
                raise ValueError
            value = self.loader.construct_object(node)
            if isinstance(value, int):
                str(value)  # Raises ValueError for a number with too many digits.
            return value
        except (ValueError, LookupError, AttributeError, OverflowError):
            # The text does not fit its tag: 2026-99-99 is not a timestamp.
            raise _error(
                self.location(node),
                f"not valid YAML: this cannot be read as {node.tag.rpartition(':')[2]}",
                "put the value in quotes",
            ) from None

    def mapping(self, node: yaml.MappingNode, path: FieldPath, merges: int) -> dict[Any, Any]:
        data: dict[Any, Any] = {}
        own: set[Any] = set()
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                data.update(self.merge(value_node, path, merges))
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                continue
            key = self.key(key_node)
            at = (*path, key)
            if key in own:
                message = f"duplicate key, first used at line {self.names[at].line}"
                fix, location = "keep one of the two", self.location(key_node)
                self.duplicates.append(Problem(None, at, message, fix, location=location))
                continue
            own.add(key)
            self.names[at] = self.location(key_node)
            data[key] = self.value(value_node, at, merges)
        return data

    def merge(self, node: yaml.Node, path: FieldPath, merges: int) -> dict[Any, Any]:
        """Returns the data of a merge key `<<`: of one mapping or a list, the first wins."""
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        data: dict[Any, Any] = {}
        for part in reversed(nodes):
            if not isinstance(part, yaml.MappingNode):
                raise _error(
                    self.location(node),
                    "`<<` can merge only mappings",
                    "give it an alias of a mapping",
                )
            self.count_value(part, len(path) + merges)
            data.update(self.mapping(part, path, merges + 1))
        return data

    def count_value(self, node: yaml.Node, depth: int) -> None:
        """Counts a value, because aliases can expand a small file to any size."""
        self.count += 1
        if self.count > MAX_VALUES or depth > MAX_DEPTH:
            raise self.too_many_values(node)

    def too_many_values(self, node: yaml.Node) -> ProblemError:
        message = "the aliases of this file expand to too many values"
        fix = "write the values in full in place of aliases"
        return _error(self.location(node), message, fix)

    def key(self, node: yaml.Node) -> str:
        self.count += 1
        if not isinstance(node, yaml.ScalarNode):
            raise _error(self.location(node), "the key is not text", "write a plain name here")
        key = self.scalar(node)
        if not isinstance(key, str):
            raise _error(
                self.location(node),
                f"the key `{node.value}` is read as {type(key).__name__}, not as text",
                f'put it in quotes: "{node.value}"',
            )
        return key

    def location(self, node: yaml.Node) -> Location:
        return Location(self.path, node.start_mark.line + 1, node.start_mark.column + 1)
