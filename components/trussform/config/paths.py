"""Paths that a config names, with their links followed."""

import os
from pathlib import Path


def is_within(path: Path, folder: Path) -> bool:
    """Returns true if a path is the folder or in it, with all links followed."""
    at, above = (os.path.join(os.path.realpath(one), "") for one in (path, folder))
    return at.startswith(above)
