"""The data of a file, with the location of each value and key."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeGuard, cast

from trussform.problem import UNLOCATED, FieldPath, Location, Problem


def is_mapping(data: object) -> TypeGuard[dict[str, Any]]:
    """Returns true if data from a file is a mapping; its keys are text."""
    return isinstance(data, dict)


class Source(NamedTuple):
    """Plain data, and the location of each value and key."""

    data: Any
    whole: Location
    """The location of the data as a whole."""
    values: Mapping[FieldPath, Location] = MappingProxyType({})
    """The location of each value of the file, by path."""
    names: Mapping[FieldPath, Location] = MappingProxyType({})
    """The location of each key of the file, by path."""
    problems: tuple[Problem, ...] = ()
    """The problems that do not prevent reading: duplicate keys."""
    at: FieldPath = ()
    """The path of the data in the file. `values` and `names` cover the whole file."""

    def has(self, path: FieldPath) -> bool:
        """Returns true if the file has a key at `path`."""
        return (*self.at, *path) in self.names

    def location(self, path: FieldPath) -> Location:
        """Returns the location of the value at `path`, or of the nearest value above it."""
        if (found := self.values.get((*self.at, *path))) is not None:
            return found
        while path := path[:-1]:
            if (found := self.names.get((*self.at, *path))) is not None:
                return found
        return self.values.get(self.at, self.whole)

    def key_location(self, path: FieldPath) -> Location:
        """Returns the location of the key at `path`, for a problem of the key itself."""
        return self.names.get((*self.at, *path)) or self.location(path)

    def locate(self, problem: Problem) -> Problem:
        """Returns the problem with its location, unless it has one."""
        if problem.location != UNLOCATED:
            return problem
        return problem._replace(location=self.location(problem.path))

    def sub(self, *at: str) -> "Source":
        """Returns the part of the file under the keys `at`; its data is None if it is absent."""
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
        data = _merge(self.data, patch.data, (), replaced, deleted)

        gone = replaced | deleted
        kept = [path for path in parts(self.data) if not _is_within(path, gone)]
        added = [path for path in parts(patch.data) if not _is_within(path, deleted)]
        values = {**_select(patch, patch.values, added), **_select(self, self.values, kept)}
        names = {**_select(patch, patch.names, added), **_select(self, self.names, kept)}
        return Source(data, self.whole, values, names, (*self.problems, *patch.problems))


def without_file(data: Any, place: Location, at: FieldPath = ()) -> Source:
    """Returns data that is in no file; each of its keys is at `place`."""
    names = {(*at, *path): place for path in parts(data) if path and isinstance(path[-1], str)}
    return Source(data, place, names=names, at=at)


def _merge(
    old: Any, patch: Any, at: FieldPath, replaced: set[FieldPath], deleted: set[FieldPath]
) -> Any:
    """Returns `old` with the patch applied; adds to `replaced` and `deleted` what it changes."""
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
            merged[key] = _merge(merged.get(key), value, (*at, key), replaced, deleted)
    return merged


def parts(data: Any, path: FieldPath = ()) -> Iterator[FieldPath]:
    """Yields the path of every value in the data, the whole first."""
    yield path
    if is_mapping(data):
        for key, value in data.items():
            yield from parts(value, (*path, key))
    elif isinstance(data, list):
        for i, item in enumerate(cast(list[Any], data)):
            yield from parts(item, (*path, i))


def _is_within(path: FieldPath, above: set[FieldPath]) -> bool:
    return any(path[:depth] in above for depth in range(len(path) + 1))


def _select(
    source: Source, locations: Mapping[FieldPath, Location], paths: list[FieldPath]
) -> dict[FieldPath, Location]:
    """Returns the known locations of the paths, which are relative to the source's data."""
    return {path: locations[at] for path in paths if (at := (*source.at, *path)) in locations}
