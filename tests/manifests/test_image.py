"""The build context: what is in it, what its tag stands for, and what cannot get in."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from trussform.config.truss import Folder
from trussform.manifests import image
from trussform.plan import Plan
from trussform.plan.image import Build
from trussform.problem import Refused
from workspace import Workspace


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
    'echo \'"\' "$(id)" `id` ${HOME}',
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
    file = tmp_path / "data" / "deep" / "weights.bin"
    file.write_bytes(b"\0\1")
    folder = Folder(tmp_path / "data", "/app/data", (file,))
    context = image.context(build(folders=(folder,)), "python:3")
    image.write(context, tmp_path / "out")
    assert (tmp_path / "out/files/app/data/deep/weights.bin").read_bytes() == b"\0\1"
    assert "COPY files/app/data /app/data" in (tmp_path / "out/Dockerfile").read_text()


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "missing", "link", ".."])
def test_a_link_that_leaves_its_folder_is_refused(workspace: Workspace, target: str) -> None:
    workspace.write_config()
    (workspace.folder / "server/outside").write_text("secret")
    (workspace.folder / "server/data").mkdir()
    (workspace.folder / "server/data/link").symlink_to(target)
    _, (problem,) = workspace.plan()
    assert (problem.level, problem.field) == ("error", "data_dir")
    assert "link" in problem.message


def test_an_empty_folder_is_made_and_not_copied(workspace: Workspace) -> None:
    workspace.write_config()
    (workspace.folder / "server/data").mkdir()
    made = workspace.plan()[0].image.build
    assert made is not None
    text = image.dockerfile(made, "python:3")
    assert "mkdir -p /app /packages /app/data" in text
    assert "COPY" not in text


def test_the_tag_is_of_the_content_and_of_nothing_else(tmp_path: Path) -> None:
    def tag(folder: str, content: bytes, mode: int = 0o644, base: str = "python:3") -> str:
        data = tmp_path / folder / "data"
        data.mkdir(parents=True)
        (data / "file").write_bytes(content)
        (data / "file").chmod(mode)
        os.utime(data / "file", (len(folder), len(folder)))
        return image.tag(
            image.context(build(folders=(Folder(data, "/app/data", (data / "file",)),)), base)
        )

    first = tag("here", b"1")
    assert first == tag("elsewhere", b"1")
    assert first != tag("a", b"2")
    assert first != tag("b", b"1", mode=0o755)
    assert first != tag("c", b"1", base="python:4")


def test_the_tag_knows_the_platform() -> None:
    tags = [
        image.tag(image.context(build(platform=p), "a")) for p in ("linux/amd64", "linux/arm64")
    ]
    assert tags[0] != tags[1]


def test_a_context_replaces_the_one_before_it(tmp_path: Path) -> None:
    made = image.context(build(), "python:3")
    image.write({**made, "old": "x"}, tmp_path / "context")
    image.write(made, tmp_path / "context")
    assert {path.name for path in (tmp_path / "context").iterdir()} == set(made)


def test_a_context_never_takes_the_place_of_somebodys_files(tmp_path: Path) -> None:
    (tmp_path / "image").mkdir()
    (tmp_path / "image/photo.png").write_bytes(b"1")
    with pytest.raises(Refused, match="the folder is not empty"):
        image.write(image.context(build(), "python:3"), tmp_path / "image")
    assert (tmp_path / "image/photo.png").exists()


def test_a_user_owns_what_truss_gives_it(plan: Callable[..., Plan], workspace: Workspace) -> None:
    made = plan({"requirements": ["six"], "docker_server": {"run_as_user_id": 1000}}).image.build
    assert made is not None
    *_, chown, user = image.dockerfile(made, "python:3").splitlines()
    assert "chown -R 1000:1000" in chown
    assert user == "USER 1000"
