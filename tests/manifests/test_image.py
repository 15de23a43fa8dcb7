"""The build context: what is in it, what its tag stands for, and what cannot get in."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from workspace import Workspace
from trussform.manifests import image
from trussform.plan import Plan
from trussform.plan.image import Build
from trussform.problem import Refused


def build(**changes: object) -> Build:
    fields: dict[str, object] = {
        "requirements": "six\n",
        "system_packages": (),
        "commands": (),
        "folders": (),
        "python": "python3",
        "user": None,
        "registry": None,
        "platform": "linux/amd64",
    }
    return Build(**{**fields, **changes})  # pyright: ignore[reportArgumentType]


def instructions(made: Build) -> list[str]:
    return [line.split()[0] for line in image.dockerfile(made, "python:3").splitlines()]


def test_the_dockerfile_goes_from_what_changes_least_to_what_changes_most(
    plan: Callable[..., Plan],
) -> None:
    config = {"requirements": ["six"], "system_packages": ["curl"], "build_commands": ["last"]}
    made = plan(config).image.build
    assert made is not None
    text = image.dockerfile(made, "python:3.11-slim")
    steps = ["FROM python:3.11-slim", "system-packages.txt", "requirements.txt", "last"]
    places = [text.index(step) for step in steps]
    assert places == sorted(places)


HOSTILE = [
    "a\nUSER nobody",
    "a \\\nFROM scratch",
    "<<EOF\nRUN x\nEOF",
    "# syntax=evil",
    "echo '\"' \"$(id)\" `id` ${HOME}",
    "\r\nENV A=b",
    "é\u2028USER x",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_the_config_becomes_an_instruction(text: str) -> None:
    plain = instructions(build(commands=("true",)))
    assert instructions(build(commands=(text,))) == plain
    assert instructions(build(commands=("true",), requirements=text)) == plain
    assert instructions(build(commands=("true",), python=text)) == plain


@pytest.mark.parametrize("text", HOSTILE)
def test_a_build_command_reaches_the_shell_unchanged(text: str) -> None:
    last = image.dockerfile(build(commands=(text,)), "python:3").splitlines()[-1]
    assert json.loads(last.removeprefix("RUN ")) == ["/bin/sh", "-c", text]


def test_folders_are_copied_to_where_truss_puts_them(tmp_path: Path) -> None:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "deep" / "weights.bin").write_bytes(b"\0\1")
    context = image.context(build(folders=((tmp_path / "data", "/app/data"),)), "python:3")
    image.write(context, tmp_path / "out")
    assert (tmp_path / "out/files/app/data/deep/weights.bin").read_bytes() == b"\0\1"
    assert "COPY files/app/data /app/data" in (tmp_path / "out/Dockerfile").read_text()


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "missing"])
def test_a_link_that_leaves_its_folder_is_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "outside").write_text("secret")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link").symlink_to(target)
    with pytest.raises(Refused, match="data/link: the link leads out of the folder"):
        image.context(build(folders=((tmp_path / "data", "/app/data"),)), "python:3")


def test_the_tag_is_of_the_content_and_of_nothing_else(tmp_path: Path) -> None:
    def tag(folder: str, content: bytes, mode: int = 0o644, base: str = "python:3") -> str:
        data = tmp_path / folder / "data"
        data.mkdir(parents=True)
        (data / "file").write_bytes(content)
        (data / "file").chmod(mode)
        os.utime(data / "file", (len(folder), len(folder)))
        return image.tag(image.context(build(folders=((data, "/app/data"),)), base))

    first = tag("here", b"1")
    assert first == tag("elsewhere", b"1")
    assert first != tag("a", b"2")
    assert first != tag("b", b"1", mode=0o755)
    assert first != tag("c", b"1", base="python:4")


def test_a_context_replaces_the_one_before_it(tmp_path: Path) -> None:
    image.write({"old": "x"}, tmp_path / "context")
    image.write({"new": "x"}, tmp_path / "context")
    assert [path.name for path in (tmp_path / "context").iterdir()] == ["new"]


def test_a_user_owns_what_truss_gives_it(plan: Callable[..., Plan], workspace: Workspace) -> None:
    made = plan({"requirements": ["six"], "docker_server": {"run_as_user_id": 1000}}).image.build
    assert made is not None
    *_, chown, user = image.dockerfile(made, "python:3").splitlines()
    assert "chown -R 1000:1000" in chown
    assert user == "USER 1000"
