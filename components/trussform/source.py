"""Data of a file, with the location of each of its values and keys."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeGuard, cast

from trussform.problem import UNLOCATED, FieldPath, Location, Problem


def is_mapping(data: object) -> TypeGuard[dict[str, Any]]:
    """Returns true if data that was read from a file is a mapping, which has text keys."""
    return isinstance(data, dict)


class Source(NamedTuple):
    """Plain data, and the place of each of its values and keys."""

    data: Any
    whole: Location
    values: Mapping[FieldPath, Location] = MappingProxyType({})
    names: Mapping[FieldPath, Location] = MappingProxyType({})
    problems: tuple[Problem, ...] = ()
    """Problems of YAML that can be read all the same: duplicate keys."""
    at: FieldPath = ()
    """The path of the data in the file; `values` and `names` are those of the whole file."""

    def has(self, keys: FieldPath) -> bool:
        """Returns true if the file has the key at `keys`."""
        return (*self.at, *keys) in self.names

    def location(self, path: FieldPath) -> Location:
        """Returns the location of the value at `path`, or of the nearest value above it."""
        if (found := self.values.get((*self.at, *path))) is not None:
            return found
        while path := path[:-1]:
            if (found := self.names.get((*self.at, *path))) is not None:
                return found
        return self.values.get(self.at, self.whole)

    def key_location(self, path: FieldPath) -> Location:
        """Returns the location of the key itself, for a problem with its name."""
        return self.names.get((*self.at, *path)) or self.location(path)

    def locate(self, problem: Problem) -> Problem:
        """Returns the problem with its location, unless it has one."""
        if problem.location != UNLOCATED:
            return problem
        return problem._replace(location=self.location(problem.path))

    def sub(self, *at: str) -> "Source":
        """Returns the part of the file under the keys `at`; its data is None if they are absent."""
        data = self.data
        for key in at:
            data = data.get(key) if is_mapping(data) else None
        whole = self.names.get((*self.at, *at), self.whole)
        return self._replace(data=data, whole=whole, at=(*self.at, *at))

    def patched(self, patch: "Source") -> "Source":
        """Returns this source with a JSON Merge Patch (RFC 7396): lists replace, null deletes."""
        if patch.data is None:
            return self
        replaced: set[FieldPath] = set()
        deleted: set[FieldPath] = set()
        data = _merged(self.data, patch.data, (), replaced, deleted)

        gone = replaced | deleted
        kept = [keys for keys in parts(self.data) if not _within(keys, gone)]
        added = [keys for keys in parts(patch.data) if not _within(keys, deleted)]
        values = {**_found(patch, patch.values, added), **_found(self, self.values, kept)}
        names = {**_found(patch, patch.names, added), **_found(self, self.names, kept)}
        return Source(data, self.whole, values, names, (*self.problems, *patch.problems))


def _merged(
    old: Any, patch: Any, at: FieldPath, replaced: set[FieldPath], deleted: set[FieldPath]
) -> Any:
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


def parts(data: Any, keys: FieldPath = ()) -> Iterator[FieldPath]:
    """Yields the path of every value in the data, its own first."""
    yield keys
    if is_mapping(data):
        for key, value in data.items():
            yield from parts(value, (*keys, key))
    elif isinstance(data, list):
        for i, item in enumerate(cast(list[Any], data)):
            yield from parts(item, (*keys, i))


def _within(keys: FieldPath, above: set[FieldPath]) -> bool:
    return any(keys[:depth] in above for depth in range(len(keys) + 1))


def _found(
    source: Source, places: Mapping[FieldPath, Location], among: list[FieldPath]
) -> dict[FieldPath, Location]:
    return {keys: places[at] for keys in among if (at := (*source.at, *keys)) in places}
