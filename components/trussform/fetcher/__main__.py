"""`python3 -m fetcher`: fetches every source of TRUSSFORM_WEIGHTS that is not complete.

A source that is complete is not asked for again; an interrupted one is resumed.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from . import buckets, hub, web
from .source import VOLUME, FetchError, Source, read_sources
from .volume import Progress, check_room, lock, share, use_own_home

_STORES: dict[str, Any] = {"hf": hub, "https": web, **dict.fromkeys(buckets.SCHEMES, buckets)}


def main() -> None:
    os.umask(0o002)
    use_own_home()
    for source in read_sources():
        with exit_on_error(source):
            fetch(source)


def fetch(source: Source) -> None:
    """Fetches one source, unless it is complete; a complete one needs no right to write."""
    if source.is_complete():
        return source.say("already complete")
    with lock(source):
        if source.is_complete():
            return source.say("already complete")
        source.say("fetching")
        source.path.mkdir(parents=True, exist_ok=True)
        begun = time.monotonic()

        def make_room(coming: int | None = None) -> None:
            check_room(needed_bytes({} if coming is None else {source.id: coming}))

        with Progress(source):
            _STORES[source.scheme].fetch(source, source.path, make_room)
        share(source.path)
        source.mark("complete").touch()
        return source.say(f"complete after {time.monotonic() - begun:.0f} s")


def needed_bytes(known: dict[str, int]) -> int:
    """Returns the bytes of all incomplete sources together; `known` has those of some by id."""
    total = 0
    for source in read_sources():
        if source.is_complete():
            continue
        if source.id in known:
            total += known[source.id]
            continue
        with exit_on_error(source):
            total += _STORES[source.scheme].missing(source)
    return total


@contextmanager
def exit_on_error(source: Source) -> Generator[None, None, None]:
    """Ends the program with one line that names the source, if anything fails."""
    try:
        yield
    except FetchError as error:
        sys.exit(f"error: {source.source}: {error}")
    except PermissionError as error:
        fix = (
            "the pod's group cannot write to the volume; if its driver ignores fsGroup, set "
            "`weights.run_as_user_id` of the stage to the owner of the volume's top folder"
        )
        if os.access(VOLUME, os.W_OK):
            fix = f"remove {source.folder} and its marks from the volume, or fetch as their owner"
        sys.exit(f"error: {source.source}: {type(error).__name__}: {error}; {fix}")
    except Exception as error:
        sys.exit(f"error: {source.source}: {type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
