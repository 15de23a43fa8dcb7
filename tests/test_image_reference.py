"""Names of images, against the library that mirrors Docker's own grammar."""

# pyright: reportMissingTypeStubs=false

from typing import Any

import pytest
from docker_image import digest
from docker_image import reference as docker
from hypothesis import example, given, settings
from hypothesis import strategies as st
from trussform import image_reference

HEX = "0123456789abcdef" * 4
PIECES = st.sampled_from(
    [
        "a", "python", "Team", "0", "localhost", "docker.io", "index.docker.io", "quay.io",
        "library", "[::1]", "é", " ", "", "/", "//", ":", ":5000", ":latest", "-", "--",
        ".", "_", "__", "___", "@", "@sha256:", "@sha512:", "@md5:", "@a+b:", HEX, HEX[:32],
        HEX.upper(), HEX * 2, "x" * 130, "x" * 256,
    ]
)  # fmt: skip


def by_docker(image: str) -> tuple[str, str | None, str | None] | None:
    try:
        reference: Any = docker.Reference
        found = reference.parse_normalized_named(image)
    except (docker.InvalidReference, digest.InvalidDigest):
        return None
    return found["name"], found["tag"], found["digest"]


def by_trussform(image: str) -> tuple[str, str | None, str | None] | None:
    try:
        name, tag, digest = image_reference.parse(image)
    except image_reference.Invalid:
        return None
    return name, tag, digest


@settings(max_examples=1000, deadline=None)
@given(st.lists(PIECES, max_size=7).map("".join))
@example("vllm/vllm-openai:v0.11.0")
@example("localhost:5443/base/python:3@sha256:" + HEX)
def test_an_image_is_read_as_by_docker(image: str) -> None:
    assert by_trussform(image) == by_docker(image)


def test_a_line_end_is_no_part_of_an_image() -> None:
    assert by_trussform("python\n") is None  # Docker says the same; its mirror takes it.


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("python", "python"),
        ("python:3.11", "python"),
        ("localhost:5000/python", "localhost:5000/python"),
        ("localhost:5000/python:3", "localhost:5000/python"),
        (f"quay.io/team/server:v1@sha256:{HEX}", "quay.io/team/server"),
    ],
)
def test_a_digest_takes_the_place_of_the_tag(image: str, name: str) -> None:
    assert image_reference.by_digest(image, "sha256:new") == f"{name}@sha256:new"


def test_the_registry_is_written_as_in_dockers_configuration() -> None:
    assert image_reference.registry("python:3") == "https://index.docker.io/v1/"
    assert image_reference.registry("quay.io/team/server") == "quay.io"
