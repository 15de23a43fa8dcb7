"""Reads YAML files from untrusted sources, and keeps the line of every value.

ProblemError: files over 1 MiB, nesting deeper than 60, more than 20,000 values, aliases that
multiply, duplicate keys, tags that make Python objects, NUL, text that is not UTF-8.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import yaml

from trussform.problem import FieldPath, Location, Problem, ProblemError
from trussform.source import Source

MAX_BYTES = 1 << 20
MAX_DEPTH = 60
MAX_VALUES = 20_000
"""Values and keys a file may expand to, aliases written out; a large real config has hundreds."""
MAX_LENGTH = 200_000
"""Characters of one value or key; no pod carries a longer one."""
MAX_DIRECTIVES = 100
"""Lines like `%TAG …`, each of which is compared with all before it."""
MAX_DIGITS = 10_000
"""Characters of a whole number: `1:59:59:…` takes the square of its length to read."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "tag:yaml.org,2002:merge"
_INT = "tag:yaml.org,2002:int"
_TEXT = "tag:yaml.org,2002:str"
_COLLECTIONS = ("tag:yaml.org,2002:seq", "tag:yaml.org,2002:map")
_KEEP_ELSEWHERE = "keep data and weights in files of their own"


def read(path: Path) -> Source:
    """Reads one YAML file.

    Raises `ProblemError` if the file cannot be read, is not a single YAML document,
    or breaks one of the rules at the top of this module.
    """
    return parse(read_text(path), str(path))


def parse(text: str, path: str) -> Source:
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
        place = Location(path, mark.line + 1, mark.column + 1) if mark else Location(path)
        what = error.problem or error.context or "not valid YAML"
        raise _refusal(place, f"not valid YAML: {what}", "fix the YAML here") from None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        what = f"not valid YAML: the character {error.character!r} is not allowed in YAML"
        raise _refusal(Location(path, line, 1), what, "remove the character") from None


def read_text(path: Path) -> str:
    """Returns the text of a file; raises `ProblemError` if it cannot be read or is too large."""
    whole = Location(str(path))
    try:
        if not os.path.isfile(path):
            raise _refusal(whole, "no such file", "give the path of a file that exists")
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)  # What lies in /proc has a size of 0 and is long.
        if len(data) > MAX_BYTES:
            size = max(len(data), path.stat().st_size)
            raise _refusal(
                Location(str(path), 1, 1),
                f"the file has {size:,} bytes; the limit is {MAX_BYTES:,}",
                _KEEP_ELSEWHERE,
            )
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        place = Location(str(path), line, 1)
        raise _refusal(place, "not UTF-8 text", "save the file as UTF-8") from None
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise _refusal(whole, reason.lower(), "make the file readable") from None


def _refusal(place: Location, message: str, fix: str) -> ProblemError:
    return ProblemError([Problem(None, (), message, fix, location=place)])


def _check_shape(text: str, path: str) -> None:
    """Refuses depth and length before anything recursive or large is made of the file."""
    if text.count("\n%") > MAX_DIRECTIVES:
        raise _refusal(
            Location(path, 1, 1), "too many directives", "remove the lines that begin `%`"
        )
    if len(text) <= MAX_VALUES and _most_depth(text) <= MAX_DEPTH:
        return  # Every value takes a character.
    depth = count = 0
    events = yaml.parse(text, Loader=_Loader)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    for event in cast(Iterable[Any], events):
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
            continue
        count += 1
        depth += isinstance(event, yaml.CollectionStartEvent)
        place = Location(path, event.start_mark.line + 1, event.start_mark.column + 1)
        if depth > MAX_DEPTH:
            message = f"nested deeper than {MAX_DEPTH} levels"
            raise _refusal(place, message, "use fewer levels")
        if count > MAX_VALUES:
            message = f"the file has more than {MAX_VALUES:,} values"
            raise _refusal(place, message, _KEEP_ELSEWHERE)
        if isinstance(event, yaml.ScalarEvent) and len(event.value) > MAX_LENGTH:
            message = f"a value has more than {MAX_LENGTH:,} characters"
            raise _refusal(place, message, _KEEP_ELSEWHERE)


def _most_depth(text: str) -> int:
    """Returns a bound of the depth: each level has a bracket or a column of its own."""
    brackets = text.count("[") + text.count("{")
    lines = text.splitlines()
    columns = max((len(line) - len(line.lstrip(" -?:\t")) for line in lines), default=0)
    return brackets + 2 * (columns + 1)


class _Walk:
    """Turns YAML nodes into data and places; a fresh one per file."""

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

    def value(self, node: yaml.Node, keys: FieldPath, merges: int = 0) -> Any:
        """Returns the data of a node; `merges` is the number of merge keys around it."""
        self.step(node, len(keys) + merges)
        self.values[keys] = self.location(node)
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node)
        if node.tag not in _COLLECTIONS:
            raise _refusal(
                self.location(node), f"not valid YAML: the tag {node.tag}", "remove the tag"
            )
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, keys, merges)
        return [self.value(child, (*keys, i), merges) for i, child in enumerate(node.value)]

    def scalar(self, node: yaml.ScalarNode) -> Any:
        self.length += len(node.value)
        if self.length > MAX_BYTES:
            raise self.multiplied(node)
        if "\0" in node.value:
            message = "the character NUL is not allowed in file names, variables and commands"
            raise _refusal(self.location(node), message, "remove the character")
        if node.tag == _TEXT:
            return node.value
        try:
            if node.tag == _INT and len(node.value) > MAX_DIGITS:
                raise ValueError
            value = self.loader.construct_object(node)
            if isinstance(value, int):
                str(value)  # Raises for a number that nothing could write out again.
            return value
        except (ValueError, LookupError, AttributeError, OverflowError):
            # The text does not hold what its tag or its form promises, as in 2026-99-99.
            raise _refusal(
                self.location(node),
                f"not valid YAML: this cannot be read as {node.tag.rpartition(':')[2]}",
                "put the value in quotes",
            ) from None

    def mapping(self, node: yaml.MappingNode, keys: FieldPath, merges: int) -> dict[Any, Any]:
        data: dict[Any, Any] = {}
        own: set[Any] = set()
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                data.update(self.merged(value_node, keys, merges))
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                continue
            key = self.key(key_node)
            at = (*keys, key)
            if key in own:
                self.duplicates.append(
                    Problem(
                        None,
                        at,
                        f"duplicate key; the first is at line {self.names[at].line}",
                        "keep one of the two",
                        location=self.location(key_node),
                    )
                )
                continue
            own.add(key)
            self.names[at] = self.location(key_node)
            data[key] = self.value(value_node, at, merges)
        return data

    def merged(self, node: yaml.Node, keys: FieldPath, merges: int) -> dict[Any, Any]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        data: dict[Any, Any] = {}
        for part in reversed(nodes):
            if not isinstance(part, yaml.MappingNode):
                raise _refusal(
                    self.location(node), "`<<` merges mappings only", "point it at a mapping"
                )
            self.step(part, len(keys) + merges)
            data.update(self.mapping(part, keys, merges + 1))
        return data

    def step(self, node: yaml.Node, depth: int) -> None:
        """Counts a value, because aliases can make a small file an endless one."""
        self.count += 1
        if self.count > MAX_VALUES or depth > MAX_DEPTH:
            raise self.multiplied(node)

    def multiplied(self, node: yaml.Node) -> ProblemError:
        message = "the aliases of this file expand to too many values"
        fix = "write the values in full in place of aliases"
        return _refusal(self.location(node), message, fix)

    def key(self, node: yaml.Node) -> str:
        self.count += 1
        if not isinstance(node, yaml.ScalarNode):
            raise _refusal(self.location(node), "a key must be text", "write a plain name here")
        key = self.scalar(node)
        if not isinstance(key, str):
            raise _refusal(
                self.location(node),
                f"the key `{node.value}` is read as {type(key).__name__}, not as text",
                f'put it in quotes: "{node.value}"',
            )
        return key

    def location(self, node: yaml.Node) -> Location:
        return Location(self.path, node.start_mark.line + 1, node.start_mark.column + 1)
