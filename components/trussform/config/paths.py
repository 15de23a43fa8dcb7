"""Checks of paths from a config."""

import os
from pathlib import Path


def is_within(path: Path, folder: Path) -> bool:
    """Returns true if a path is the folder or below it, after all links are resolved."""
    at, above = (os.path.join(os.path.realpath(one), "") for one in (path, folder))
    return at.startswith(above)
