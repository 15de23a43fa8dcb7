"""Parses image names as Docker does.

The grammar is from github.com/distribution/reference. Its Python library is slow to import: as slow
as the check of a whole stage. The tests compare both.
"""

import re
from typing import NamedTuple

_DOMAIN_PART = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DOMAIN = rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_PATH_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_ALGORITHM_PART = r"[A-Za-z][A-Za-z0-9]*"
_REFERENCE = re.compile(
    rf"(?P<name>{_DOMAIN}/(?P<path>{_PATH_PART}(?:/{_PATH_PART})*))"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?"
    rf"(?:@(?P<digest>{_ALGORITHM_PART}(?:[-_+.]{_ALGORITHM_PART})*:[0-9a-fA-F]{{32,}}))?",
    re.ASCII,
)
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")
_HEX_DIGITS = {"sha256": 64, "sha384": 96, "sha512": 128}
"""The number of digits by algorithm; Docker accepts no other algorithms."""
_MAX_PATH = 255
_MAX_LENGTH = 1000
"""A domain, a path, a tag and a digest of full length have fewer characters together."""

HUB = "docker.io"


class Invalid(ValueError):
    """The text is not the name of an image."""


class Reference(NamedTuple):
    name: str
    """Registry and repository: `docker.io/library/python`."""
    tag: str | None
    digest: str | None


def parse(image: str) -> Reference:
    """Returns the parts of an image's name, with Docker Hub's registry and `library/` filled in.

    Raises `Invalid` if the text is not the name of an image.
    """
    if len(image) > _MAX_LENGTH:
        raise Invalid(f"no name has more than {_MAX_LENGTH:,} characters")
    if _IDENTIFIER.fullmatch(image):
        raise Invalid("64 hex digits are an image's id")
    domain, rest = _split(image)
    found = _REFERENCE.fullmatch(f"{domain}/{rest}")
    if found is None:
        raise Invalid("invalid reference format")
    if len(found["path"]) > _MAX_PATH:
        raise Invalid(f"the repository's name has more than {_MAX_PATH} characters")
    digest = found["digest"]
    if digest is not None:
        algorithm, _, digits = digest.partition(":")
        if len(digits) != _HEX_DIGITS.get(algorithm) or digits != digits.lower():
            raise Invalid("invalid digest")
    return Reference(found["name"], found["tag"], digest)


def _split(image: str) -> tuple[str, str]:
    """Returns the registry and the rest; a first part that may be a folder of Docker Hub is one."""
    first, slash, rest = image.partition("/")
    if not slash or not (first == "localhost" or set(first) & set(".:") or first != first.lower()):
        first, rest = HUB, image
    elif first == f"index.{HUB}":
        first = HUB
    if first == HUB and "/" not in rest:
        rest = f"library/{rest}"
    return first, rest


def registry(image: str) -> str:
    """Returns the image's registry as Docker's configuration file writes it."""
    name = parse(image).name.partition("/")[0]
    return "https://index.docker.io/v1/" if name == HUB else name


def by_digest(image: str, digest: str) -> str:
    """Returns the image with a digest in place of its tag: `python@sha256:…`."""
    tag = parse(image).tag
    name = image.partition("@")[0]
    return f"{name.removesuffix(f':{tag}') if tag else name}@{digest}"
