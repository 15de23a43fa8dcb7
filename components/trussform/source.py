"""YAML files, read with the line of every value and with nothing taken on trust.

Refused: files over 1 MiB, nesting deeper than 60, aliases that multiply, duplicate
keys, tags that make Python objects, text that is not UTF-8.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from trussform.problem import Finding, Keys, Place, Problem, Refused, dotted

MAX_BYTES = 1 << 20
MAX_DEPTH = 60
MAX_VALUES = 50_000
"""Values a file may expand to, aliases written out; a large real config has a few hundred."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "tag:yaml.org,2002:merge"
_COLLECTIONS = ("tag:yaml.org,2002:seq", "tag:yaml.org,2002:map")


@dataclass(frozen=True)
class Source:
    """Plain data, and the place of each of its values and keys."""

    data: Any
    whole: Place
    values: Mapping[Keys, Place] = field(default_factory=dict[Keys, Place])
    names: Mapping[Keys, Place] = field(default_factory=dict[Keys, Place])

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
            data = data.get(key) if isinstance(data, dict) else None
        depth = len(at)
        return Source(
            data,
            self.name_place(at) if at in self.names else self.whole,
            {keys[depth:]: at_ for keys, at_ in self.values.items() if keys[:depth] == at},
            {keys[depth:]: at_ for keys, at_ in self.names.items() if keys[:depth] == at},
        )

    def patched(self, patch: "Source") -> "Source":
        """This source with a JSON Merge Patch (RFC 7396) applied: lists replace, null deletes."""
        if not isinstance(patch.data, dict):
            return self if patch.data is None else patch
        merged = dict(self.data) if isinstance(self.data, dict) else {}
        result = replace(self, data=merged, values=dict(self.values), names=dict(self.names))
        for key, value in patch.data.items():
            old = result.below(key)
            result = result.without((key,))
            if value is not None:
                new = replace(old, data=merged.get(key)).patched(patch.below(key))
                result = result._with(key, new, patch.name_place((key,)))
        return result

    def without(self, keys: Keys) -> "Source":
        """This source less the value at `keys`."""

        def kept(places: Mapping[Keys, Place]) -> dict[Keys, Place]:
            return {at: place for at, place in places.items() if at[: len(keys)] != keys}

        return Source(_less(self.data, keys), self.whole, kept(self.values), kept(self.names))

    def _with(self, key: str, part: "Source", name: Place) -> "Source":
        values = {(key, *keys): at for keys, at in part.values.items()}
        names = {(key, *keys): at for keys, at in part.names.items()}
        return Source(
            {**self.data, key: part.data},
            self.whole,
            {**self.values, **values},
            {**self.names, **names, (key,): name},
        )


def _less(data: Any, keys: Keys) -> Any:
    if not keys or not isinstance(data, dict) or keys[0] not in data:
        return data
    rest = {key: value for key, value in data.items() if key != keys[0]}
    return rest if len(keys) == 1 else {**rest, keys[0]: _less(data[keys[0]], keys[1:])}


def read(path: Path) -> Source:
    """Read one YAML file.

    Raises `Refused` where the file cannot be read, is no single YAML document,
    or breaks one of the rules at the top of this module.
    """
    return parse(_text(path), str(path))


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
    except yaml.YAMLError as error:
        what = " ".join(str(error).split())
        raise _refusal(
            Place(path, 1, 1), f"not valid YAML: {what}", "save the file as UTF-8 text"
        ) from None
    except ValueError as error:
        # A scalar whose tag promises more than its text holds, such as a date of 2026-99-99.
        raise _refusal(
            Place(path, 1, 1), f"a value cannot be read: {error}", "put such values in quotes"
        ) from None


def _text(path: Path) -> str:
    whole = Place(str(path))
    try:
        if not path.is_file():
            raise _refusal(whole, "no such file", "give the path of a YAML file that exists")
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
        raise _refusal(
            Place(str(path), line, 1), "not UTF-8 text", "save the file as UTF-8"
        ) from None
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise _refusal(whole, reason.lower(), "make the file readable") from None


def _refusal(place: Place, message: str, help: str) -> Refused:
    return Refused([Problem(place, "", message, help)])


def _check_shape(text: str, path: str) -> None:
    """Refuse depth before anything recursive sees the file."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
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
        if self.duplicates:
            raise Refused(self.duplicates)
        return Source(data, whole, self.values, self.names)

    def value(self, node: yaml.Node, keys: Keys) -> Any:
        self.count += 1
        if self.count > MAX_VALUES or len(keys) > MAX_DEPTH:
            raise _refusal(
                self.place(node),
                "aliases in this file multiply without end",
                "write the values out instead of repeating anchors",
            )
        self.values[keys] = self.place(node)
        if not isinstance(node, yaml.ScalarNode) and node.tag not in _COLLECTIONS:
            raise _refusal(
                self.place(node), f"not valid YAML: the tag {node.tag}", "remove the tag"
            )
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*keys, i)) for i, child in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, keys)
        return self.loader.construct_object(node)

    def mapping(self, node: yaml.MappingNode, keys: Keys) -> dict[Any, Any]:
        data: dict[Any, Any] = {}
        own: set[Any] = set()
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                data.update(self.merged(value_node, keys))
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

    def merged(self, node: yaml.Node, keys: Keys) -> dict[Any, Any]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        data: dict[Any, Any] = {}
        for part in reversed(nodes):
            if not isinstance(part, yaml.MappingNode):
                raise _refusal(
                    self.place(node), "`<<` merges mappings only", "point it at a mapping"
                )
            data.update(self.mapping(part, keys))
        return data

    def key(self, node: yaml.Node) -> str:
        self.count += 1
        if not isinstance(node, yaml.ScalarNode):
            raise _refusal(self.place(node), "a key must be text", "write a plain name here")
        key = self.loader.construct_object(node)
        if not isinstance(key, str):
            raise _refusal(
                self.place(node),
                f"the key `{node.value}` is read as {type(key).__name__}, not as text",
                f'put it in quotes: "{node.value}"',
            )
        return key

    def place(self, node: yaml.Node) -> Place:
        return Place(self.path, node.start_mark.line + 1, node.start_mark.column + 1)
