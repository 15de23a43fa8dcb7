"""Repositories of Hugging Face."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from .choice import choose
from .login import secret
from .source import Source
from .volume import size_of, sweep

_PARALLEL = 8
"""Files that are fetched and checked at a time."""
_CHUNK = 1 << 22
_PIECE = 1 << 18
"""The bytes that the hub's library writes at a time. Its own 10 MB are new memory for each piece,
whose page faults take half of the time of a fast fetch."""


class HubFile(NamedTuple):
    name: str
    size: int
    checksum: str
    """The SHA-256 of a large file; of another, the SHA-1 that git gives to its content."""
    is_large: bool


def fetch(source: Source, folder: Path, make_room: Callable[[], None]) -> None:
    """Fetches the files; raises `OSError` for those that differ from the hub's checksums."""
    from huggingface_hub import constants

    settings: Any = constants
    settings.DOWNLOAD_CHUNK_SIZE = _PIECE
    revision, files = _repository(source)[1], _chosen(source)
    sweep(folder, {file.name for file in files})
    make_room()

    def damaged(file: HubFile) -> str | None:
        return None if _fetch_file(source, folder, file) else file.name

    with ThreadPoolExecutor(_PARALLEL) as pool:
        names = [name for name in pool.map(damaged, files) if name]
    if names:
        raise OSError(f"these files differ from the hub's, and were removed: {', '.join(names)}")
    if source.hub and revision != _commit(source):
        # The server looks the branch up by its name.
        ref = folder / _repository_folder(source) / "refs" / revision
        ref.parent.mkdir(parents=True, exist_ok=True)
        ref.write_text(_commit(source))


def missing(source: Source) -> int:
    """Returns the bytes of the source that are not on the volume yet."""
    folder, files = source.path, _chosen(source)
    if source.hub:
        contents = {file.checksum: file.size for file in files}
        found = (folder / _repository_folder(source)).rglob("*")
        return max(0, sum(contents.values()) - sum(map(size_of, found)))
    begun = (folder / ".cache" / "huggingface").rglob("*.incomplete")
    absent = sum(max(0, file.size - size_of(folder / file.name)) for file in files)
    return max(0, absent - sum(map(size_of, begun)))


@cache
def list_files(source: Source) -> tuple[HubFile, ...]:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    api, (name, _) = HfApi(token=secret(source)), _repository(source)
    tree = api.list_repo_tree(name, revision=_commit(source), recursive=True)
    return tuple(_hub_file(entry) for entry in tree if isinstance(entry, RepoFile))


def _hub_file(entry: Any) -> HubFile:
    checksum = entry.lfs.sha256 if entry.lfs else entry.blob_id
    # Some mirrors report no sizes.
    return HubFile(entry.path, entry.size or 0, checksum, bool(entry.lfs))


@cache
def _chosen(source: Source) -> list[HubFile]:
    return choose(list_files(source), source)


def _repository(source: Source) -> tuple[str, str]:
    """Returns the name of the repository, and the revision that the config names."""
    name, _, revision = source.source.removeprefix("hf://").partition("@")
    return name, revision or "main"


def _repository_folder(source: Source) -> str:
    return f"models--{_repository(source)[0].replace('/', '--')}"


@cache
def _commit(source: Source) -> str:
    """Returns the commit of the revision now: a branch may move while its files are fetched."""
    from huggingface_hub import HfApi

    name, revision = _repository(source)
    return str(HfApi(token=secret(source)).model_info(name, revision=revision).sha)


def _fetch_file(source: Source, folder: Path, file: HubFile) -> bool:
    """Fetches one file and checks it; removes it and returns false if it is damaged.

    The hub's library checks sizes alone. A file that has just come is still in memory.
    """
    import huggingface_hub

    library: Any = huggingface_hub
    place: dict[str, Any] = {"cache_dir" if source.hub else "local_dir": folder}
    path = Path(
        library.hf_hub_download(
            _repository(source)[0],
            file.name,
            revision=_commit(source),
            token=secret(source),
            **place,
        )
    )
    if _is_whole(path, file):
        return True
    # Two files of the same content are one in the hub's own cache.
    path.resolve().unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    return False


def _is_whole(path: Path, file: HubFile) -> bool:
    if not path.is_file():
        return False
    found = hashlib.sha256() if file.is_large else hashlib.sha1(b"blob %d\0" % path.stat().st_size)
    with open(path, "rb") as content:
        while chunk := content.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest() == file.checksum
