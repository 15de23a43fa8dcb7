"""The files of a source that its patterns choose."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Protocol, TypeVar

from .source import FetchError, Source


class Named(Protocol):
    @property
    def name(self) -> str: ...


File = TypeVar("File", bound=Named)


def choose(files: Sequence[File], source: Source) -> list[File]:
    """Returns the files that the patterns choose, one at least; raises `FetchError` if there is
    none."""
    if not files:
        raise FetchError("the source has no files; correct the name in the config's `source`")
    chosen = [file for file in files if is_chosen(file.name, source)]
    if not chosen:
        raise FetchError(nothing_chosen([file.name for file in files], source))
    return chosen


def is_chosen(name: str, source: Source) -> bool:
    def matched(patterns: Iterable[str]) -> bool:
        return any(matches(pattern, name, source.any_depth) for pattern in patterns)

    return (not source.allow or matched(source.allow)) and not matched(source.ignore)


def matches(pattern: str, name: str, any_depth: bool) -> bool:
    """Returns true if a pattern of the config matches the name of a file.

    In `weights`, `*` ends at a `/` and `**` does not:
    https://docs.baseten.co/development/model/bdn#filter-files-with-patterns. In `model_cache`, `*`
    does not end there either: basetenlabs/truss, truss-transfer/src/create/filter.rs.
    """
    if any_depth:
        return fnmatchcase(name, f"{pattern}*" if pattern.endswith("/") else pattern)
    pattern = f"{pattern}**" if pattern.endswith("/") else pattern
    return _parts_match(pattern.split("/"), name.split("/"))


def _parts_match(pattern: list[str], name: list[str]) -> bool:
    """Compares folder by folder; a `**` at the end stands for one part at least."""
    if pattern[-1] == "**":
        pattern = [*pattern, "*"]
    # The numbers of parts of the name that the pattern may have matched so far.
    ends = {0}
    for part in pattern:
        if part == "**":
            ends = set(range(min(ends), len(name) + 1))
        else:
            ends = {at + 1 for at in ends if at < len(name) and fnmatchcase(name[at], part)}
        if not ends:
            return False
    return len(name) in ends


def nothing_chosen(names: Sequence[str], source: Source) -> str:
    """Returns the message for patterns that choose no file."""
    given = {"allow_patterns": source.allow, "ignore_patterns": source.ignore}
    patterns = " and ".join(f"{key} {json.dumps(value)}" for key, value in given.items() if value)
    deeper = [
        pattern
        for pattern in source.allow
        if any(matches(f"**/{pattern}", name, source.any_depth) for name in names)
    ]
    if deeper and not source.any_depth:
        fix = f"write `**/{deeper[0]}` for files in folders"
    else:
        fix = f"correct the patterns; the name of a file is like `{names[0]}`"
    return f"none of {len(names)} files matches {patterns}; {fix}"
