"""The build context: what is in it, what its tag stands for, and what cannot get in."""

import json
import os
import subprocess
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest
from support.workspace import Workspace
from trussform.config.image_folders import Folder
from trussform.manifests import build_context
from trussform.plan import Plan
from trussform.plan.image import Build
from trussform.problem import ProblemError


def build(**changes: object) -> Build:
    fields: dict[str, object] = {
        "requirements": {"requirements.txt": "six\n"},
        "system_packages": (),
        "commands": (),
        "arguments": {},
        "downloads": (),
        "bare": False,
        "folders": (),
        "python": "python3",
        "user": None,
        "registry": None,
        "platform": "linux/amd64",
        "tools": ("uv",),
        "secrets": {},
        "buildkit": False,
    }
    return Build(**{**fields, **changes})  # pyright: ignore[reportArgumentType]


def instructions(made: Build) -> list[str]:
    return [line.split()[0] for line in build_context.dockerfile(made, "python:3").splitlines()]


def test_the_dockerfile_goes_from_what_changes_least_to_what_changes_most(
    plan: Callable[..., Plan],
) -> None:
    config = {"requirements": ["six"], "system_packages": ["curl"], "build_commands": ["last"]}
    made = plan(config).image.build
    assert made is not None
    text = build_context.dockerfile(made, "python:3.11-slim")
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
    assert instructions(build(commands=("true",), requirements={"requirements.txt": text})) == plain
    assert instructions(build(commands=("true",), python=text)) == plain


@pytest.mark.parametrize("text", HOSTILE)
def test_a_build_command_reaches_the_shell_unchanged(text: str) -> None:
    assert text in mounts(build(commands=(text,)))


def test_folders_are_copied_to_where_truss_puts_them(tmp_path: Path) -> None:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    file = tmp_path / "data" / "deep" / "weights.bin"
    file.write_bytes(b"\0\1")
    folder = Folder("data_dir", "data", tmp_path / "data", "/app/data", (file,))
    context = build_context.context(build(folders=(folder,)), "python:3")
    build_context.write(context, tmp_path / "out")
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
    text = build_context.dockerfile(made, "python:3")
    assert "mkdir -p /app /packages /workspace /app/data" in text
    assert "COPY" not in text


def test_the_tag_is_of_the_content_and_of_nothing_else(tmp_path: Path) -> None:
    def tag(folder: str, content: bytes, mode: int = 0o644, base: str = "python:3") -> str:
        data = tmp_path / folder / "data"
        data.mkdir(parents=True)
        (data / "file").write_bytes(content)
        (data / "file").chmod(mode)
        os.utime(data / "file", (len(folder), len(folder)))
        return build_context.tag(
            build_context.context(
                build(folders=(Folder("data_dir", "data", data, "/app/data", (data / "file",)),)),
                base,
            )
        )

    first = tag("here", b"1")
    assert first == tag("elsewhere", b"1")
    assert first != tag("a", b"2")
    assert first != tag("b", b"1", mode=0o755)
    assert first != tag("c", b"1", base="python:4")


def test_the_tag_knows_the_platform() -> None:
    tags = [
        build_context.tag(build_context.context(build(platform=p), "a"))
        for p in ("linux/amd64", "linux/arm64")
    ]
    assert tags[0] != tags[1]


def test_a_context_replaces_the_one_before_it(tmp_path: Path) -> None:
    made = build_context.context(build(), "python:3")
    build_context.write({**made, "old": "x"}, tmp_path / "context")
    build_context.write(made, tmp_path / "context")
    assert {path.name for path in (tmp_path / "context").iterdir()} == set(made)


def test_a_context_never_takes_the_place_of_somebodys_files(tmp_path: Path) -> None:
    (tmp_path / "image").mkdir()
    (tmp_path / "image/photo.png").write_bytes(b"1")
    with pytest.raises(ProblemError, match="the folder is not empty"):
        build_context.write(build_context.context(build(), "python:3"), tmp_path / "image")
    assert (tmp_path / "image/photo.png").exists()


def test_a_user_owns_what_truss_gives_it(plan: Callable[..., Plan], workspace: Workspace) -> None:
    made = plan({"requirements": ["six"], "docker_server": {"run_as_user_id": 1000}}).image.build
    assert made is not None
    *_, chown, user = build_context.dockerfile(made, "python:3").splitlines()
    assert "chown -R 1000:1000" in chown
    assert user == "USER 1000"


@pytest.mark.parametrize("text", HOSTILE)
def test_arguments_and_downloads_are_words_of_a_command(text: str) -> None:
    plain = instructions(build(commands=("true",)))
    assert instructions(build(commands=("true",), arguments={"A": text})) == plain
    commands = mounts(build(commands=('printf %s "$A"',), arguments={"A": text}))
    (command,) = [command for command in commands if command.endswith('printf %s "$A"')]
    argv = ["/bin/sh", "-c", command]
    assert subprocess.run(argv, capture_output=True, check=True).stdout == text.encode()
    url = f"https://example.com/{text}"
    made = instructions(build(downloads=((url, "/app/data/x"),)))
    assert made == instructions(build(downloads=(("https://example.com", "/app/data/x"),)))


def test_a_project_installs_from_its_lock(workspace: Workspace) -> None:
    workspace.write_config({"requirements_file": "deps/uv.lock"})
    (workspace.folder / "server/deps").mkdir()
    for name in ("uv.lock", "pyproject.toml"):
        (workspace.folder / "server/deps" / name).write_text(name)
    made = workspace.plan({"requirements_file": "deps/uv.lock"})[0].image.build
    assert made is not None
    build_context.write(build_context.context(made, "python:3"), workspace.folder / "out")
    assert (workspace.folder / "out/uv.lock").read_text() == "uv.lock"
    text = (workspace.folder / "out/Dockerfile").read_text()
    assert "COPY pyproject.toml uv.lock /tmp/trussform/" in text
    assert text.index("uv export --quiet --frozen") < text.index("-r /tmp/trussform/locked.txt")


def test_a_lock_wants_its_project_beside_it(workspace: Workspace) -> None:
    workspace.write_config()
    (workspace.folder / "server/uv.lock").write_text("")
    _, (problem,) = workspace.plan({"requirements_file": "uv.lock"})
    assert (problem.level, problem.field) == ("error", "requirements_file")
    assert problem.message.endswith("pyproject.toml: no such file")


def test_external_packages_lie_beside_the_bundled_ones(workspace: Workspace) -> None:
    workspace.write_config()
    for folder in ("server/packages", "shared"):
        (workspace.folder / folder).mkdir()
        (workspace.folder / folder / f"{Path(folder).name}.py").write_text("")
    made = workspace.plan({"external_package_dirs": ["../shared"]})[0].image.build
    assert made is not None
    context = build_context.context(made, "python:3")
    assert {"files/packages/packages.py", "files/packages/shared.py"} <= context.keys()
    assert build_context.dockerfile(made, "python:3").count("COPY files/packages /packages") == 1


def test_no_build_brings_the_data_and_nothing_else(workspace: Workspace) -> None:
    workspace.write_config()
    (workspace.folder / "server/data").mkdir()
    (workspace.folder / "server/data/file").write_text("")
    user = {"docker_server": {"no_build": True, "run_as_user_id": 1000}, "requirements": ["six"]}
    plan, _ = workspace.plan(user)
    assert plan.image.build is not None
    assert build_context.dockerfile(plan.image.build, "python:3").splitlines()[1:] == [
        "FROM python:3",
        "COPY --chown=1000:1000 files/app/data /app/data",
    ]
    assert "/app" in plan.files.copied


def test_an_image_that_runs_as_it_is_needs_no_shell(workspace: Workspace) -> None:
    as_it_is = {"no_build": True, "run_as_user_id": 1000, "start_command": None}
    plan, _ = workspace.plan({"docker_server": as_it_is})
    assert plan.files.copied == ()
    assert not plan.command.argv


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", ".", "./.", "a\nb"])
def test_a_download_stays_in_the_data_folder(workspace: Workspace, path: str) -> None:
    files = [{"url": "https://example.com/a", "local_data_path": path}]
    _, (problem,) = workspace.plan({"external_data": files})
    assert (problem.level, problem.field) == ("error", "external_data[0]")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "-K/etc/x", "example.com/a", " https://x"])
def test_a_download_is_one_of_the_web(workspace: Workspace, url: str) -> None:
    files = [{"url": url, "local_data_path": "a"}]
    _, (problem,) = workspace.plan({"external_data": files})
    assert (problem.level, problem.field) == ("error", "external_data[0]")


def test_curl_reads_no_pattern_in_a_url() -> None:
    made = build(downloads=(("https://example.com/[1-9]{a,b}", "/app/data/x"),))
    assert "--globoff" in build_context.dockerfile(made, "python:3")


def mounts(made: Build) -> dict[str, list[str]]:
    """The mounts of each command by the command."""
    found: dict[str, list[str]] = {}
    for line in build_context.dockerfile(made, "python:3").splitlines():
        options, bracket, command = line.partition("[")
        if line.startswith("RUN "):
            found[json.loads(bracket + command)[2]] = options.split()[1:]
    return found


def test_secrets_of_a_build_are_mounted_for_the_commands_alone() -> None:
    made = build(
        commands=("first", "second"), secrets={"token": "/root/token"}, system_packages=("curl",)
    )
    secret = ["--mount=type=secret,id=token,target=/root/token"]
    used = {command: words for command, words in mounts(made).items() if words}
    assert used == {"first": secret, "second": secret}


def test_buildkit_keeps_what_is_downloaded_out_of_the_image_and_for_the_next_build() -> None:
    made = build(system_packages=("curl",), buildkit=True)
    used = {command: words for command, words in mounts(made).items() if words}
    ((apt, apt_mounts), (uv, uv_mounts)) = used.items()
    assert apt_mounts == [
        "--mount=type=cache,target=/var/lib/apt/lists,sharing=locked",
        "--mount=type=cache,target=/var/cache/trussform/apt,sharing=locked",
    ]
    assert "rm -rf" not in apt
    assert uv_mounts == ["--mount=type=cache,target=/var/cache/trussform/uv"]
    assert "UV_CACHE_DIR=/var/cache/trussform/uv" in uv
    plain = mounts(build(system_packages=("curl",)))
    assert [words for words in plain.values() if words] == []


def test_a_file_larger_than_the_memory_gets_its_tag(tmp_path: Path) -> None:
    with open(tmp_path / "large", "wb") as file:
        file.truncate(100 << 20)
    tracemalloc.start()
    build_context.tag({"large": tmp_path / "large"})
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10 << 20


def test_a_file_is_read_once_for_the_copy_and_the_tag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.write_bytes(b"weights")
    opened: list[Path] = []

    def opens(file: Path, mode: str) -> IO[Any]:
        opened.append(file)
        return file.open(mode)

    monkeypatch.setattr(build_context, "open", opens, raising=False)
    tag = build_context.write({"data": data}, tmp_path / "out")
    assert opened == [tmp_path / "out/data", data]
    assert tag == build_context.tag({"data": data})
    assert (tmp_path / "out/data").read_bytes() == b"weights"
