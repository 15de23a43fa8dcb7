"""Single files of the web."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from .choice import is_chosen, nothing_chosen
from .login import secret
from .source import FetchError, Source
from .volume import size_of

_CHUNK = 1 << 22


def fetch(source: Source, folder: Path, make_room: Callable[[int], None]) -> None:
    """Fetches one file; resumes an earlier attempt if the server can do that."""
    name, part = _name(source), _part(source)
    version_file = folder / f"{name}.version"
    if not is_chosen(name, source):
        raise FetchError(nothing_chosen([name], source))
    for begun in (part, version_file):
        # An older version may have made it, as another user.
        if begun.exists() and not os.access(begun, os.W_OK):
            begun.unlink()
    version = version_file.read_text() if version_file.exists() else ""
    have = size_of(part) if version else 0
    # With If-Range, the server sends a file that has changed since then from its beginning.
    rest = {"Range": f"bytes={have}-", "If-Range": version} if have else {}
    with _get(source, rest) as answer:
        if answer.status_code == 416:
            # There is no rest to ask for, so one cannot tell whether the part is whole.
            part.unlink(missing_ok=True)
        answer.raise_for_status()
        resumes = answer.status_code == 206
        length = int(answer.headers.get("Content-Length") or 0)
        make_room(length if resumes else length - size_of(part))
        with open(part, "ab" if resumes else "wb") as out:
            version_file.write_text(version if resumes else _version(answer))
            for chunk in answer.iter_content(_CHUNK):
                out.write(chunk)
    part.rename(folder / name)
    version_file.unlink()


def missing(source: Source) -> int:
    """Returns the bytes of the file that are not on the volume yet; 0 if its size is unknown."""
    return max(0, _size(source) - size_of(_part(source)))


def _name(source: Source) -> str:
    return unquote(urlsplit(source.source).path).rpartition("/")[2] or "index"


def _part(source: Source) -> Path:
    return source.path / f"{_name(source)}.part"


def _get(source: Source, headers: Mapping[str, str]) -> Any:
    import requests

    headers = {"Accept-Encoding": "identity", **headers}
    token = secret(source)
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return requests.get(source.source, headers=headers, stream=True, timeout=60)


def _size(source: Source) -> int:
    """Returns the size of the file, from an answer with one byte of it; 0 if it is unknown."""
    with _get(source, {"Range": "bytes=0-0"}) as answer:
        size = answer.headers.get("Content-Range", answer.headers.get("Content-Length", ""))
        size = size.rpartition("/")[2]
        return int(size) if answer.ok and size.isdigit() else 0


def _version(answer: Any) -> str:
    """Returns the text that identifies the file's version; empty if there is none, as for a weak
    ETag."""
    etag = answer.headers.get("ETag", "W/")
    return answer.headers.get("Last-Modified", "") if etag.startswith("W/") else etag
