"""Prints the notes of a release from CHANGELOG.md: `notes.py v0.1.0`.

Fails if the tag is not the version of the package, or if the version has no date or no notes.
"""

import re
import sys
from pathlib import Path

from trussform.version import __version__

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"
_HEADING = re.compile(r"^## (?P<version>\S+)(?: \((?P<date>[^)]*)\))?$", re.MULTILINE)


def notes(tag: str, version: str, changelog: str) -> str:
    """Returns the notes of a version; raises `ValueError` with the reason if it is not ready."""
    if tag != f"v{version}":
        raise ValueError(f"the tag is {tag}, and version.py has {version}; use v{version}")
    found = next((one for one in _HEADING.finditer(changelog) if one["version"] == version), None)
    if found is None:
        raise ValueError(f"CHANGELOG.md has no heading for {version}; add `## {version} (DATE)`")
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", found["date"] or ""):
        raise ValueError(f"{version} has no date in CHANGELOG.md; write `## {version} (DATE)`")
    after = changelog[found.end() :]
    following = _HEADING.search(after)
    text = (after[: following.start()] if following else after).strip()
    if not text:
        raise ValueError(f"CHANGELOG.md has no notes for {version}")
    return text


def main() -> None:
    try:
        print(notes(sys.argv[1], __version__, CHANGELOG.read_text()))
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
