"""YAML files, read with the line of every value and with nothing taken on trust.

Refused: files over 1 MiB, nesting deeper than 60, more than 20,000 values, aliases that
multiply, duplicate keys, tags that make Python objects, NUL, text that is not UTF-8.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeGuard, cast

import yaml

from trussform.problem import Finding, Keys, Place, Problem, Refused, dotted

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
_KEEP_ELSEWHERE = "a config describes a server; keep data and weights in files of their own"


def is_mapping(data: object) -> TypeGuard[dict[str, Any]]:
    """Whether data that was read from a file is a mapping; its keys are text then."""
    return isinstance(data, dict)


class Source(NamedTuple):
    """Plain data, and the place of each of its values and keys."""

    data: Any
    whole: Place
    values: Mapping[Keys, Place] = MappingProxyType({})
    names: Mapping[Keys, Place] = MappingProxyType({})
    problems: tuple[Problem, ...] = ()
    """What is wrong with the YAML and still lets it be read: keys that stand twice."""
    at: Keys = ()
    """Where the data lies in the file; `values` and `names` are those of the whole file."""

    def has(self, keys: Keys) -> bool:
        """Whether the file has the key at `keys`."""
        return (*self.at, *keys) in self.names

    def place(self, keys: Keys) -> Place:
        """The place of the value at `keys`, or of the nearest value above it."""
        if (place := self.values.get((*self.at, *keys))) is not None:
            return place
        while keys := keys[:-1]:
            if (place := self.names.get((*self.at, *keys))) is not None:
                return place
        return self.values.get(self.at, self.whole)

    def name_place(self, keys: Keys) -> Place:
        """The place of the key itself, for complaints about its name."""
        return self.names.get((*self.at, *keys)) or self.place(keys)

    def problem(self, finding: Finding) -> Problem:
        return Problem(
            self.place(finding.keys),
            dotted(finding.keys),
            finding.message,
            finding.help,
            finding.level,
        )

    def below(self, *at: str) -> "Source":
        """The part of the file under the keys `at`; its data is None where they are absent."""
        data = self.data
        for key in at:
            data = data.get(key) if is_mapping(data) else None
        whole = self.names.get((*self.at, *at), self.whole)
        return self._replace(data=data, whole=whole, at=(*self.at, *at))

    def patched(self, patch: "Source") -> "Source":
        """This source with a JSON Merge Patch (RFC 7396) applied: lists replace, null deletes."""
        if patch.data is None:
            return self
        replaced: set[Keys] = set()
        deleted: set[Keys] = set()
        data = _merged(self.data, patch.data, (), replaced, deleted)

        gone = replaced | deleted
        kept = [keys for keys in parts(self.data) if not _within(keys, gone)]
        added = [keys for keys in parts(patch.data) if not _within(keys, deleted)]
        values = {**_found(patch, patch.values, added), **_found(self, self.values, kept)}
        names = {**_found(patch, patch.names, added), **_found(self, self.names, kept)}
        return Source(data, self.whole, values, names, (*self.problems, *patch.problems))


def _merged(old: Any, patch: Any, at: Keys, replaced: set[Keys], deleted: set[Keys]) -> Any:
    if not is_mapping(patch):
        replaced.add(at)
        return patch
    if not is_mapping(old):
        replaced.add(at)
        old = {}
    merged = dict(old)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
            deleted.add((*at, key))
        else:
            merged[key] = _merged(merged.get(key), value, (*at, key), replaced, deleted)
    return merged


def parts(data: Any, keys: Keys = ()) -> Iterator[Keys]:
    """The keys of every value in the data, its own first."""
    yield keys
    if is_mapping(data):
        for key, value in data.items():
            yield from parts(value, (*keys, key))
    elif isinstance(data, list):
        for i, item in enumerate(cast(list[Any], data)):
            yield from parts(item, (*keys, i))


def _within(keys: Keys, above: set[Keys]) -> bool:
    return any(keys[:depth] in above for depth in range(len(keys) + 1))


def _found(source: Source, places: Mapping[Keys, Place], among: list[Keys]) -> dict[Keys, Place]:
    return {keys: places[at] for keys in among if (at := (*source.at, *keys)) in places}


def read(path: Path) -> Source:
    """Read one YAML file.

    Raises `Refused` where the file cannot be read, is no single YAML document,
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
        place = Place(path, mark.line + 1, mark.column + 1) if mark else Place(path)
        what = error.problem or error.context or "not valid YAML"
        raise _refusal(place, f"not valid YAML: {what}", "mend the YAML here") from None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        what = f"not valid YAML: the character {error.character!r} may not stand in it"
        raise _refusal(Place(path, line, 1), what, "remove the character") from None


def read_text(path: Path) -> str:
    """The text of a file; raises `Refused` where it is missing, too large or not UTF-8."""
    whole = Place(str(path))
    try:
        if not os.path.isfile(path):
            raise _refusal(whole, "no such file", "give the path of a file that exists")
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)  # What lies in /proc has a size of 0 and is long.
        if len(data) > MAX_BYTES:
            size = max(len(data), path.stat().st_size)
            raise _refusal(
                Place(str(path), 1, 1),
                f"the file has {size:,} bytes and may have {MAX_BYTES:,}",
                _KEEP_ELSEWHERE,
            )
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        place = Place(str(path), line, 1)
        raise _refusal(place, "not UTF-8 text", "save the file as UTF-8") from None
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise _refusal(whole, reason.lower(), "make the file readable") from None


def _refusal(place: Place, message: str, help: str) -> Refused:
    return Refused([Problem(place, "", message, help)])


def _check_shape(text: str, path: str) -> None:
    """Refuse depth and length before anything recursive or large is made of the file."""
    if text.count("\n%") > MAX_DIRECTIVES:
        raise _refusal(Place(path, 1, 1), "too many directives", "remove the lines that begin `%`")
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
        place = Place(path, event.start_mark.line + 1, event.start_mark.column + 1)
        if depth > MAX_DEPTH:
            message = f"nested deeper than {MAX_DEPTH} levels"
            raise _refusal(place, message, "write the file flatter")
        if count > MAX_VALUES:
            message = f"the file has more than {MAX_VALUES:,} values"
            raise _refusal(place, message, _KEEP_ELSEWHERE)
        if isinstance(event, yaml.ScalarEvent) and len(event.value) > MAX_LENGTH:
            message = f"a value of more than {MAX_LENGTH:,} characters"
            raise _refusal(place, message, _KEEP_ELSEWHERE)


def _most_depth(text: str) -> int:
    """A level takes a bracket, or a column of its own; a list may share that of its key."""
    brackets = text.count("[") + text.count("{")
    lines = text.splitlines()
    columns = max((len(line) - len(line.lstrip(" -?:\t")) for line in lines), default=0)
    return brackets + 2 * (columns + 1)


class _Walk:
    """Turns YAML nodes into data and places; a fresh one per file."""

    def __init__(self, loader: Any, path: str) -> None:
        self.loader = loader
        self.path = path
        self.values: dict[Keys, Place] = {}
        self.names: dict[Keys, Place] = {}
        self.duplicates: list[Problem] = []
        self.count = 0
        self.length = 0

    def source(self, node: yaml.Node | None) -> Source:
        whole = Place(self.path, 1, 1)
        if node is None:
            return Source({}, whole)
        data = self.value(node, ())
        return Source(data, whole, self.values, self.names, tuple(self.duplicates))

    def value(self, node: yaml.Node, keys: Keys, merges: int = 0) -> Any:
        """`merges`: how many merge keys the value lies in, as they nest like the values do."""
        self.step(node, len(keys) + merges)
        self.values[keys] = self.place(node)
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node)
        if node.tag not in _COLLECTIONS:
            raise _refusal(
                self.place(node), f"not valid YAML: the tag {node.tag}", "remove the tag"
            )
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, keys, merges)
        return [self.value(child, (*keys, i), merges) for i, child in enumerate(node.value)]

    def scalar(self, node: yaml.ScalarNode) -> Any:
        self.length += len(node.value)
        if self.length > MAX_BYTES:
            raise self.multiplied(node)
        if "\0" in node.value:
            message = "the character NUL can stand in no file name, variable or command"
            raise _refusal(self.place(node), message, "remove the character")
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
                self.place(node),
                f"not valid YAML: no {node.tag.rpartition(':')[2]} can be read from this",
                "put the value in quotes",
            ) from None

    def mapping(self, node: yaml.MappingNode, keys: Keys, merges: int) -> dict[Any, Any]:
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
                        self.place(key_node),
                        dotted(at),
                        f"the key stands twice, first at line {self.names[at].line}",
                        "keep one of the two",
                    )
                )
                continue
            own.add(key)
            self.names[at] = self.place(key_node)
            data[key] = self.value(value_node, at, merges)
        return data

    def merged(self, node: yaml.Node, keys: Keys, merges: int) -> dict[Any, Any]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        data: dict[Any, Any] = {}
        for part in reversed(nodes):
            if not isinstance(part, yaml.MappingNode):
                raise _refusal(
                    self.place(node), "`<<` merges mappings only", "point it at a mapping"
                )
            self.step(part, len(keys) + merges)
            data.update(self.mapping(part, keys, merges + 1))
        return data

    def step(self, node: yaml.Node, depth: int) -> None:
        """Count a value, as aliases can make a small file an endless one."""
        self.count += 1
        if self.count > MAX_VALUES or depth > MAX_DEPTH:
            raise self.multiplied(node)

    def multiplied(self, node: yaml.Node) -> Refused:
        message = "aliases in this file multiply without end"
        help = "write the values out instead of repeating anchors"
        return _refusal(self.place(node), message, help)

    def key(self, node: yaml.Node) -> str:
        self.count += 1
        if not isinstance(node, yaml.ScalarNode):
            raise _refusal(self.place(node), "a key must be text", "write a plain name here")
        key = self.scalar(node)
        if not isinstance(key, str):
            raise _refusal(
                self.place(node),
                f"the key `{node.value}` is read as {type(key).__name__}, not as text",
                f'put it in quotes: "{node.value}"',
            )
        return key

    def place(self, node: yaml.Node) -> Place:
        return Place(self.path, node.start_mark.line + 1, node.start_mark.column + 1)
