"""YAML files, read with the line of every value and with nothing taken on trust.

Refused: files over 1 MiB, nesting deeper than 60, aliases that multiply, duplicate
keys, tags that make Python objects, text that is not UTF-8.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeGuard, cast

import yaml

from trussform.problem import Finding, Keys, Place, Problem, Refused, dotted

MAX_BYTES = 1 << 20
MAX_DEPTH = 60
MAX_VALUES = 50_000
"""Values a file may expand to, aliases written out; a large real config has a few hundred."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "tag:yaml.org,2002:merge"
_COLLECTIONS = ("tag:yaml.org,2002:seq", "tag:yaml.org,2002:map")


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

    def place(self, keys: Keys) -> Place:
        """The place of the value at `keys`, or of the nearest value above it."""
        if keys in self.values:
            return self.values[keys]
        while keys := keys[:-1]:
            if keys in self.names:
                return self.names[keys]
        return self.values.get((), self.whole)

    def name_place(self, keys: Keys) -> Place:
        """The place of the key itself, for complaints about its name."""
        return self.names.get(keys) or self.place(keys)

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
        depth = len(at)
        return Source(
            data,
            self.name_place(at) if at in self.names else self.whole,
            {keys[depth:]: at_ for keys, at_ in self.values.items() if keys[:depth] == at},
            {keys[depth:]: at_ for keys, at_ in self.names.items() if keys[:depth] == at},
            self.problems,
        )

    def patched(self, patch: "Source") -> "Source":
        """This source with a JSON Merge Patch (RFC 7396) applied: lists replace, null deletes."""
        if patch.data is None:
            return self
        replaced: set[Keys] = set()
        deleted: set[Keys] = set()
        data = _merged(self.data, patch.data, (), replaced, deleted)

        def both(old: Mapping[Keys, Place], new: Mapping[Keys, Place]) -> dict[Keys, Place]:
            gone = replaced | deleted
            kept = {keys: at for keys, at in old.items() if not _within(keys, gone)}
            added = {keys: at for keys, at in new.items() if not _within(keys, deleted)}
            return added | kept

        values, names = both(self.values, patch.values), both(self.names, patch.names)
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


def _within(keys: Keys, above: set[Keys]) -> bool:
    return any(keys[:depth] in above for depth in range(len(keys) + 1))


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
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise _refusal(
                Place(str(path), 1, 1),
                f"the file has {size:,} bytes and may have {MAX_BYTES:,}",
                "a config describes a server; keep data and weights in files of their own",
            )
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        place = Place(str(path), line, 1)
        raise _refusal(place, "not UTF-8 text", "save the file as UTF-8") from None
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise _refusal(whole, reason.lower(), "make the file readable") from None


def _refusal(place: Place, message: str, help: str) -> Refused:
    return Refused([Problem(place, "", message, help)])


def _check_shape(text: str, path: str) -> None:
    """Refuse depth before anything recursive sees the file."""
    if _most_depth(text) <= MAX_DEPTH:
        return
    depth = 0
    events = yaml.parse(text, Loader=_Loader)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    for event in cast(Iterable[Any], events):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            mark = event.start_mark
            raise _refusal(
                Place(path, mark.line + 1, mark.column + 1),
                f"nested deeper than {MAX_DEPTH} levels",
                "write the file flatter",
            )


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

    def source(self, node: yaml.Node | None) -> Source:
        whole = Place(self.path, 1, 1)
        if node is None:
            return Source({}, whole)
        data = self.value(node, ())
        return Source(data, whole, self.values, self.names, tuple(self.duplicates))

    def value(self, node: yaml.Node, keys: Keys) -> Any:
        self.step(node, len(keys))
        self.values[keys] = self.place(node)
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node)
        if node.tag not in _COLLECTIONS:
            raise _refusal(
                self.place(node), f"not valid YAML: the tag {node.tag}", "remove the tag"
            )
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, keys)
        return [self.value(child, (*keys, i)) for i, child in enumerate(node.value)]

    def scalar(self, node: yaml.ScalarNode) -> Any:
        try:
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

    def mapping(self, node: yaml.MappingNode, keys: Keys, depth: int = 0) -> dict[Any, Any]:
        data: dict[Any, Any] = {}
        own: set[Any] = set()
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                data.update(self.merged(value_node, keys, depth))
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
            data[key] = self.value(value_node, at)
        return data

    def merged(self, node: yaml.Node, keys: Keys, depth: int) -> dict[Any, Any]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        data: dict[Any, Any] = {}
        for part in reversed(nodes):
            if not isinstance(part, yaml.MappingNode):
                raise _refusal(
                    self.place(node), "`<<` merges mappings only", "point it at a mapping"
                )
            self.step(part, depth)
            data.update(self.mapping(part, keys, depth + 1))
        return data

    def step(self, node: yaml.Node, depth: int) -> None:
        """Count a value, as aliases can make a small file an endless one."""
        self.count += 1
        if self.count > MAX_VALUES or depth > MAX_DEPTH:
            raise _refusal(
                self.place(node),
                "aliases in this file multiply without end",
                "write the values out instead of repeating anchors",
            )

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
