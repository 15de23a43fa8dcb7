"""Snapshots of the messages of `trussform check`, so that a change of wording is seen in review.

`pytest tests/messages --inline-snapshot=fix` accepts the new words.
"""

import ast
import inspect
import re
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trussform
from inline_snapshot import external_file
from messages.cases import CONFIGS, FILES, STAGES
from support.workspace import Workspace
from trussform import problem, schema
from trussform.cli.app import app
from typer.testing import CliRunner

LIBRARY = Path(trussform.__file__).parent
Site = tuple[str, int]
"""A call that makes a message: the file and the line of the call."""

ELSEWHERE = {
    "cli/app.py": "tests/cli/test_cli.py holds the message for a folder that cannot be written",
    "cli/init.py": "tests/cli/test_init.py",
    "cli/lock.py": "tests/cli/test_lock.py",
    "config/image_folders.py": "tests/config/test_paths.py",
    "config/requirements.py": "tests/config/test_paths.py",
    "deploy/docker_server.py": "tests/deploy/test_docker_server.py",
    "deploy/stack.py": "tests/engine/test_local.py",
    "manifests/build_context.py": "tests/manifests/test_build_context.py",
    "stack_file.py": "tests/cli/test_stack_option.py and tests/test_stage.py",
    "planning.py": "tests/test_stage.py, tests/plan/test_names.py and tests/plan/test_given.py",
}
"""Files whose messages need more than a config and a stage; the tests that hold them."""
WITH_FILES = {
    "the command has a NUL character": "a program's dict; YAML with NUL is refused before",
    "{_place(program)}{server.name} {_WHY}": "a script: tests/plan/test_listening.py",
    "adds only the data folder to the image": "a folder: tests/plan/test_build.py",
}
"""Parts of messages that need a file beside the config, or a program."""


class Checked(NamedTuple):
    """The output of every case, and the calls that have made a message."""

    pages: dict[str, str]
    seen: set[Site]


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    project = Workspace(tmp_path_factory.mktemp("messages"))
    with watch() as seen:
        pages = {
            "configs": page(of_configs(project), project.folder),
            "stages": page(of_stages(project), project.folder),
            "files": page(of_files(project), project.folder),
        }
    return Checked(pages, seen)


@contextmanager
def watch() -> Generator[set[Site]]:
    """Gives the calls that make a message meanwhile."""
    found: set[Site] = set()

    def watched(function: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            frame = inspect.currentframe()
            assert frame is not None
            assert frame.f_back is not None
            code = frame.f_back.f_code
            found.add((Path(code.co_filename).as_posix(), frame.f_back.f_lineno))
            return function(*arguments, **named)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(problem.Problem, "__new__", watched(problem.Problem.__new__))
        watched_invalid = watched(schema.invalid)
        for name, module in list(sys.modules.items()):
            if name.startswith("trussform.") and hasattr(module, "invalid"):
                patch.setattr(module, "invalid", watched_invalid)
        yield found


def of_configs(project: Workspace) -> Iterator[tuple[str, str]]:
    stack = project.write_stack()
    for name, changes in CONFIGS.items():
        project.write_config(changes)
        yield name, check("--stack", stack)


def of_stages(project: Workspace) -> Iterator[tuple[str, str]]:
    for name, (config, changes) in STAGES.items():
        project.write_config(config)
        yield name, check("--stack", project.write_stack(changes))


def of_files(project: Workspace) -> Iterator[tuple[str, str]]:
    for name, text in FILES.items():
        project.write_config(text)
        yield name, check(project.config)


def check(*arguments: str | Path) -> str:
    return CliRunner().invoke(app, ["check", *map(str, arguments)]).stdout


def page(parts: Iterable[tuple[str, str]], folder: Path) -> str:
    """Returns the output of each case under its name, with long values cut short."""
    lines: list[str] = []
    for name, output in parts:
        text = re.sub(
            r"(.)\1{40,}", r"\1…", output.replace(f"{folder}/", "").replace(str(folder), ".")
        )
        shown = text.splitlines() or ["no problem"]
        shown = shown if len(shown) < 20 else [*shown[:2], "…", shown[-1]]
        lines += [f"{name}:", *(f"  {line}" for line in shown), ""]
    return "\n".join(lines)


@pytest.mark.parametrize("name", ["configs", "stages", "files"])
def test_the_messages_are_as_they_were(checked: Checked, name: str) -> None:
    assert checked.pages[name] == external_file(f"snapshots/{name}.txt")


def test_every_message_is_in_a_snapshot(checked: Checked) -> None:
    missed = [
        f"{file.relative_to(LIBRARY)}:{call.lineno}"
        for file, call in calls()
        if not any((file.as_posix(), line) in checked.seen for line in lines_of(call))
        and not any(part in text_before(file, call) for part in WITH_FILES)
        and file.relative_to(LIBRARY).as_posix() not in ELSEWHERE
    ]
    assert not missed, f"add a case to tests/messages/cases.py for {missed}"


def text_before(file: Path, call: ast.Call) -> str:
    """Returns the call and the lines before it, which set its message."""
    return "\n".join(file.read_text().splitlines()[call.lineno - 4 : call.end_lineno])


def lines_of(call: ast.Call) -> range:
    return range(call.lineno, (call.end_lineno or call.lineno) + 1)


def calls() -> Generator[tuple[Path, ast.Call]]:
    """Yields each call in the library that makes a problem or a validation error."""
    for file in LIBRARY.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(ast.Name("Problem" | "invalid")):
                    yield file, node
                case _:
                    pass
