"""The sources to fetch, as the variable TRUSSFORM_WEIGHTS has them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

VOLUME = Path(os.environ.get("TRUSSFORM_VOLUME", "/weights"))


class FetchError(Exception):
    """An error whose message needs no name of an exception in front of it."""


class Source(NamedTuple):
    """One source of weights, as `plan/weights.py` decides it.

    A pod that restarts may run a newer version of this program with its old variable, so fields
    are only ever added, each with a default.
    """

    id: str
    """The name of its marks on the volume."""
    source: str
    """`hf://owner/name@revision`, `s3://bucket/prefix`, `https://…`."""
    folder: str
    """Its folder on the volume."""
    hub: bool = False
    """True if the folder is laid out as Hugging Face's cache."""
    secret: str | None = None
    """The name of the file with its login."""
    role: str | None = None
    """The role that the pod's own identity assumes."""
    region: str | None = None
    allow: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    any_depth: bool = False
    """True if `*` of a pattern also matches `/`, as in Truss's `model_cache`."""

    @property
    def scheme(self) -> str:
        return self.source.partition("://")[0]

    @property
    def path(self) -> Path:
        """The folder for its files."""
        return VOLUME / self.folder

    def mark(self, kind: str) -> Path:
        return VOLUME / f"{self.id}.{kind}"

    def is_complete(self) -> bool:
        return self.mark("complete").exists() and self.path.is_dir()

    def say(self, text: str) -> None:
        print(f"{self.source}: {text}", flush=True)


def read_sources() -> list[Source]:
    return [_source(fields) for fields in json.loads(os.environ["TRUSSFORM_WEIGHTS"])]


def _source(fields: dict[str, Any]) -> Source:
    known = {name: fields[name] for name in Source._fields if name in fields}
    for patterns in ("allow", "ignore"):
        known[patterns] = tuple(known.get(patterns) or ())
    return Source(**known)
