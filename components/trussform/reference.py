"""Names of images, read as Docker reads them."""

from typing import Any

from docker_image import reference as docker  # pyright: ignore[reportMissingTypeStubs]

Invalid = docker.InvalidReference


def full(image: str) -> tuple[str, str]:
    """The repository with its registry, and the tag: Docker Hub and `latest` are filled in.

    Raises `Invalid` for what is no image.
    """
    parsed: Any = docker.Reference.parse_normalized_named(image)  # pyright: ignore[reportUnknownMemberType]
    return parsed["name"], parsed["tag"] or "latest"


def registry(image: str) -> str:
    """The image's registry, as Docker's own configuration writes it."""
    name = full(image)[0].partition("/")[0]
    return "https://index.docker.io/v1/" if name == "docker.io" else name


def by_digest(image: str, digest: str) -> str:
    """`python:3.11` and a digest -> `python@sha256:…`."""
    parsed: Any = docker.Reference.parse(image)  # pyright: ignore[reportUnknownMemberType]
    return f"{parsed['name']}@{digest}"
