"""The volume: the room on it, its locks, and the rights of its files.

Pods of different users share the volume through their group, so the group may write every file.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import threading
from collections.abc import Collection, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from .source import VOLUME, FetchError, Source

REPORT = 30
"""Seconds between two lines of progress."""
_LEFT_OVER = re.compile(r".*(\.[0-9a-f]{8}\.incomplete|\.part\.[0-9a-fA-F]{8})")
"""Temporary files of huggingface_hub and boto3 that neither of them resumes."""


def use_own_home() -> None:
    """Gives a second user another home on the volume, because the files of a cache may be for
    their owner alone."""
    for name in ("HF_HOME", "HOME"):
        home = Path(os.environ.get(name, "/"))
        if VOLUME in home.parents and home.is_dir() and home.stat().st_uid != os.getuid():
            os.environ[name] = f"{home}-{os.getuid()}"


@contextmanager
def lock(source: Source) -> Generator[None, None, None]:
    """Waits while another pod fetches the same source onto the same volume."""
    file = source.mark("lock")
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:
        if not file.exists():
            raise
        # An older version made the file for its own user alone; reading is enough for a lock.
        descriptor = os.open(file, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Progress:
    """Prints how much is on the volume, every `REPORT` seconds."""

    def __init__(self, source: Source) -> None:
        self.source, self.done = source, threading.Event()
        self.thread = threading.Thread(target=self._report, daemon=True)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.done.set()
        self.thread.join()

    def _report(self) -> None:
        while not self.done.wait(REPORT):
            total = sum(_bytes_on_disk(path) for path in self.source.path.rglob("*"))
            self.source.say(f"{total / 1e9:.1f} GB so far")


def _bytes_on_disk(path: Path) -> int:
    """Returns the bytes that a file takes on the disk; 0 if it has gone since it was listed."""
    try:
        return path.lstat().st_blocks * 512
    except OSError:
        return 0


def check_room(needed: int) -> None:
    """Raises `FetchError` if the volume has less room than `needed`, in bytes."""
    disk = os.statvfs(VOLUME)
    free, total = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    # Some network file systems report no size.
    if total and needed > free:
        enough = -(-(total - free + needed) * 11 // 10 >> 30)
        raise FetchError(
            f"the weights need {amount(needed)} more, and the volume has {amount(free)} free; "
            f"raise `weights.storage.size` of the stage to {enough}Gi, or make room on the volume"
        )


def amount(size: float) -> str:
    """Returns a number of bytes in the unit of Kubernetes that suits it, rounded."""
    for unit in (" bytes", "Ki", "Mi", "Gi"):
        if size < 1024:
            return f"{size:.{0 if unit == ' bytes' else 1}f}{unit}"
        size /= 1024
    return f"{size:.1f}Ti"


def size_of(file: Path) -> int:
    """Returns the size of a file itself; 0 for a link, a folder and a missing file."""
    return file.lstat().st_size if file.is_file() and not file.is_symlink() else 0


def sweep(folder: Path, keep: Collection[str] = ()) -> None:
    """Removes the files of an earlier fetch that this one cannot resume.

    Locks of old versions of huggingface_hub, and some files of new ones, are for their user alone;
    the lock on the volume is enough.
    """
    private = (folder / ".cache" / "huggingface", folder / ".locks")
    for path in list(folder.rglob("*")):
        if str(path.relative_to(folder)) in keep or not path.is_file():
            continue
        inner = any(parent in private for parent in path.parents)
        closed = not os.access(path, os.R_OK | os.W_OK if inner else os.R_OK)
        if closed or _LEFT_OVER.fullmatch(path.name) or (inner and path.suffix == ".lock"):
            path.unlink()


def share(folder: Path) -> None:
    """Opens, to the group, the files that a library has made for its user alone."""
    for path in [folder, *folder.rglob("*")]:
        status = path.lstat()
        mode = status.st_mode | (0o775 if path.is_dir() else 0o664)
        if not path.is_symlink() and status.st_uid == os.getuid() and mode != status.st_mode:
            # Some file systems have modes that nobody can change.
            with suppress(OSError):
                path.chmod(stat.S_IMODE(mode))
