"""The release: the notes of a version, and the files that are published."""

import pytest
from release.notes import notes

CHANGELOG = """# Changelog

## 0.3.0 (unreleased)

- next

## 0.2.0 (2026-12-01)

### Servers

- a change

## 0.1.0 (2026-11-01)

- the first
"""


def test_the_notes_are_those_of_the_version() -> None:
    assert notes("v0.2.0", "0.2.0", CHANGELOG) == "### Servers\n\n- a change"
    assert notes("v0.1.0", "0.1.0", CHANGELOG) == "- the first"


@pytest.mark.parametrize(
    ("tag", "version", "reason"),
    [
        ("v0.2.1", "0.2.0", r"the tag is v0\.2\.1, and version\.py has 0\.2\.0; use v0\.2\.0"),
        ("0.2.0", "0.2.0", r"use v0\.2\.0"),
        ("v0.3.0", "0.3.0", r"0\.3\.0 has no date"),
        ("v0.4.0", "0.4.0", r"no heading for 0\.4\.0"),
    ],
)
def test_a_release_that_is_not_ready_says_why(tag: str, version: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        notes(tag, version, CHANGELOG)


def test_a_version_without_notes_is_not_released() -> None:
    with pytest.raises(ValueError, match="no notes"):
        notes("v0.1.0", "0.1.0", "## 0.1.0 (2026-11-01)\n\n## 0.0.1 (2026-10-01)\n\n- x\n")
