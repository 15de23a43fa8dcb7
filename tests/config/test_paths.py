"""Only the config's own files get into an image, whatever its paths say."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.hostile import hostile, tried
from support.workspace import Workspace, plans_of
from trussform import planning, stack_file
from trussform.manifests import build_context
from trussform.plan import Plan
from trussform.problem import Problem, ProblemError, errors

OUTSIDE = "this stands outside"
"""The content of every file that no config may have."""

FOLDERS = ("data", "model", "packages", "lib", "data/deep", "data/.git")
TARGETS = (
    "../outside", "../outside/file", "../../outside", "../../outside/file", "../../../outside/file",
    "{root}/outside/file", "{root}/outside", "/", "/etc", "/etc/passwd", "/dev/zero", "/dev/stdin",
    "/proc/self/environ", "/proc/self/fd/0", ".", "..", "../..", "loop", "nothing", "file",
    "data", "data/file", "../data/file", "deep/file", "../shared", "../../shared/file", ".git",
)  # fmt: skip
NAMES = (
    "file", "link", "loop", "requirements.txt", "pyproject.toml", "uv.lock", ".dockerignore",
    "Dockerfile", "-rf", " ", "a b", "é", "a\nUSER root", "\x1b[2J", "...", "a" * 200, "$(id)",
    "\udcff", "\u202e",
)  # fmt: skip
PATHS = (
    *FOLDERS, "link", "loop", "file", ".", "..", "./data", "data/", "data/..", "data/../..",
    "data/link", "link/deep", "../shared", "../shared/../shared", "../../outside", "{root}/outside",
    "../../outside/..", "../..", "../../..", "/", "/etc", "/proc", "/dev", ".git", "../.git", "~",
    "$HOME", "data\n", "data//deep", "a" * 300, "a/" * 3000, "requirements.txt", "lib/uv.lock",
    "link/requirements.txt", "/dev/zero", "../../outside/file", "fifo", "data/fifo", "",
)  # fmt: skip

entries = st.lists(
    st.tuples(
        st.sampled_from(("", *FOLDERS)),
        st.sampled_from(NAMES),
        st.just("file") | st.sampled_from(("folder", "fifo", *TARGETS)),
    ),
    max_size=6,
)
paths = st.sampled_from(FOLDERS) | st.sampled_from(PATHS)
fields = st.fixed_dictionaries(
    {},
    optional={
        "data_dir": paths,
        "model_module_dir": paths,
        "bundled_packages_dir": paths,
        "requirements_file": paths,
        "external_package_dirs": st.lists(paths, max_size=2),
    },
)


class Machine:
    """A folder with a project in it, and files beside the project that are none of its."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "outside").mkdir(parents=True)
        (root / "outside/file").write_text(OUTSIDE)
        (root / "outside/requirements.txt").write_text(OUTSIDE)
        (root / "project").mkdir()
        self.workspace = Workspace(root / "project")
        for folder in (*FOLDERS, "../shared", "../.git"):
            (root / "project/server" / folder).mkdir(parents=True)
        (root / "project/.git/config").write_text(OUTSIDE)
        (root / "project/shared/file").write_text("shared")

    def make(self, folder: str, name: str, kind: str) -> None:
        at = self.root / "project/server" / folder / name
        if os.path.lexists(at):
            return
        if kind == "file":
            at.write_text(f"{folder}/{name!r}")
        elif kind == "folder":
            at.mkdir()
        elif kind == "fifo":
            os.mkfifo(at)
        else:
            at.symlink_to(kind.format(root=self.root))

    def plan(self, config: dict[str, Any]) -> tuple[list[Plan], list[Problem]]:
        self.workspace.write_config(config)
        stack = self.workspace.write_stack()
        try:
            plans, problems = plans_of(stack_file.read_stack(stack))
        except ProblemError as error:
            return [], list(error.problems)
        return ([] if errors(problems) else list(plans.values())), problems


def filled(root: str, value: Any) -> Any:
    if isinstance(value, list):
        return [filled(root, item) for item in cast(list[Any], value)]
    return value.replace("{root}", root)


def leaks(machine: Machine, plan: Plan) -> Iterator[str]:
    """Yields the foreign and the missing files of a build's context."""
    build = plan.image.build
    if build is None:
        return
    context = build_context.context(build, plan.digest.reference)
    out = machine.root / "out"
    build_context.write(context, out)
    build_context.tag(context)
    for file in out.rglob("*"):
        if file.is_symlink() or not (file.is_file() or file.is_dir()):
            yield f"no file: {file}"
        elif file.is_file() and OUTSIDE in file.read_text():
            yield f"from outside: {file}"
    for folder in build.folders:
        for at, _, names in os.walk(folder.path):
            for name in names:
                there = Path(folder.place[1:], os.path.relpath(at, folder.path), name)
                if not (out / "files" / there).is_file():
                    yield f"missing: {there}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("paths") / "machine"


@hostile(0.15)
@given(entries, fields)
def test_no_file_of_the_machine_gets_into_an_image(
    folder: Path, entries: list[tuple[str, str, str]], fields: dict[str, Any]
) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    machine = Machine(folder)
    for entry in entries:
        machine.make(*entry)
    plans, problems = machine.plan({name: filled(str(folder), v) for name, v in fields.items()})
    for problem in problems:
        assert problem.text.isprintable()
        assert OUTSIDE not in problem.text
    assert [text for plan in plans for text in leaks(machine, plan)] == []
    tried(
        "paths",
        "configs whose paths and links lead out of their folder",
        "no file of the machine gets in",
    )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine")


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("requirements.txt", {}),
        ("requirements.txt", {"requirements_file": "requirements.txt"}),
        ("lib/deps.txt", {"requirements_file": "lib/deps.txt"}),
        ("pyproject.toml", {"requirements_file": "pyproject.toml"}),
        ("uv.lock", {"requirements_file": "uv.lock"}),
    ],
)
def test_requirements_that_are_a_link_to_the_outside_are_refused(
    machine: Machine, name: str, fields: dict[str, Any]
) -> None:
    server = machine.root / "project/server"
    (server / "pyproject.toml").write_text("")
    (server / name).unlink(missing_ok=True)
    (server / name).symlink_to(machine.root / "outside/file")
    _, problems = machine.plan(fields)
    (problem,) = errors(problems)
    assert problem.message.endswith(f"{name}: the link points outside the config's folder")


def test_a_link_to_requirements_that_nothing_installs_is_left_alone(machine: Machine) -> None:
    (machine.root / "project/server/requirements.txt").symlink_to(machine.root / "outside/file")
    (plan,), _ = machine.plan({"requirements": ["six"]})
    assert plan.image.build is not None
    assert list(leaks(machine, plan)) == []


@pytest.mark.parametrize(
    "path", ["{root}/outside", "../../outside", "/", "..", "../..", "../.git", "packages/../.."]
)
def test_packages_come_from_the_project_alone(machine: Machine, path: str) -> None:
    _, problems = machine.plan({"external_package_dirs": [filled(str(machine.root), path)]})
    (problem,) = errors(problems)
    assert problem.field == "external_package_dirs[0]"
    assert f"outside the project {machine.root / 'project'}" in problem.message


def test_packages_may_lie_beside_a_config_that_is_in_no_project(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.write_config({"external_package_dirs": ["../lib", "../../lib"]})
    (tmp_path / "Pulumi.yaml").unlink()
    (tmp_path / "lib").mkdir()
    stack = planning.without_stage(workspace.config)
    _, problems = plans_of(stack, [workspace.config])
    assert [problem.field for problem in errors(problems)] == ["external_package_dirs[1]"]


@pytest.mark.parametrize("target", ["/", "..", ".", "{root}/outside", "../.git"])
def test_a_folder_that_leads_elsewhere_is_refused_and_not_searched(
    machine: Machine, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = machine.root / "project/server/data"
    shutil.rmtree(data)
    data.symlink_to(target.format(root=machine.root))
    searched: list[Path] = []
    walk = os.walk

    def watched(path: Path) -> Any:
        searched.append(path)
        return walk(path)

    monkeypatch.setattr(os, "walk", watched)
    _, problems = machine.plan({})
    assert [problem.field for problem in errors(problems)] == ["data_dir"]
    assert data not in searched


@pytest.mark.parametrize("kind", ["fifo", "/dev/zero", "loop", "nothing"])
def test_what_is_no_file_is_refused_and_not_waited_for(machine: Machine, kind: str) -> None:
    machine.make("data", "loop", kind)
    _, problems = machine.plan({})
    (problem,) = errors(problems)
    assert "loop" in problem.message


@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_cannot_be_read_is_told(
    machine: Machine, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.make("data", "closed", what)
    (machine.root / "project/server/data/closed").chmod(0)
    if os.geteuid() == 0:  # Root can read all.

        def access(path: str | Path, mode: int) -> bool:
            return Path(path).name != "closed"

        monkeypatch.setattr(os, "access", access)
    _, problems = machine.plan({})
    (problem,) = errors(problems)
    assert problem.message.endswith(f"the {what} closed cannot be read")


def test_the_folder_of_a_config_may_be_a_link(machine: Machine) -> None:
    server = machine.root / "project/server"
    server.rename(machine.root / "project/elsewhere")
    server.symlink_to("elsewhere")
    (machine.root / "project/elsewhere/data/file").write_text("mine")
    (plan,), _ = machine.plan({})
    assert plan.image.build is not None
    assert "files/app/data/file" in build_context.context(plan.image.build, "python:3")
