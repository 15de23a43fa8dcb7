"""The requirements of a server: a list of the config, a file that it names, or one beside it."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from trussform.config.config import Config
from trussform.config.paths import is_within
from trussform.problem import FieldPath, Problem, ProblemError
from trussform.yaml_reader import read_text

REQUIREMENTS_FILE = "requirements.txt"
_PROJECT_FILES = {"pyproject.toml": ("pyproject.toml",), "uv.lock": ("pyproject.toml", "uv.lock")}
"""The files that belong to a project's file of requirements."""


class Requirements(NamedTuple):
    files: Mapping[str, str | Path]
    """By the names that uv knows; text or a file."""
    unnamed: bool = False
    """True if the file is beside the config, and the config does not name it."""
    problems: tuple[Problem, ...] = ()


def read_requirements(config: Config, folder: Path) -> Requirements:
    """Returns the files to install from.

    A list in the config, even an empty one, says all there is. A `requirements.txt` beside a config
    without one is installed too.
    """
    named = config.requirements_file
    listed = "requirements" in config.model_fields_set
    beside = os.path.isfile(folder / REQUIREMENTS_FILE)
    if not named and (listed or config.docker_server.no_build or not beside):
        return Requirements(_as_file("".join(f"{line}\n" for line in config.requirements)))
    file = folder / (named or REQUIREMENTS_FILE)
    field: FieldPath = ("requirements_file",) if named else ()
    files = {name: file.with_name(name) for name in _PROJECT_FILES.get(file.name, (file.name,))}
    problems = tuple(
        Problem("config", field, f"{path}: {message}", fix)
        for path in files.values()
        for message, fix in _unreadable(path, folder)
    )
    if problems or file.name in _PROJECT_FILES:
        return Requirements({**files}, problems=problems)
    try:
        text = read_text(file)
    except ProblemError as error:
        (problem,) = error.problems
        message = f"{problem.location}: {problem.message}"
        return Requirements({}, problems=(Problem("config", field, message, problem.fix),))
    return Requirements(_as_file(text), unnamed=not named)


def packages(text: str) -> list[str]:
    """Returns the lines of a file of requirements that name something to install."""
    lines = [line.split(" #")[0].strip() for line in text.splitlines()]
    options = ("-i", "-f", "-c", "--")
    return [line for line in lines if line and not line.startswith(("#", *options))]


def _unreadable(path: Path, folder: Path) -> Iterator[tuple[str, str]]:
    if not is_within(path, folder):
        yield "a link that leads out of the config's folder", "put the file itself there"
    elif not os.path.isfile(path):
        yield "no such file", "give the path of a file that exists"


def _as_file(text: str) -> dict[str, str | Path]:
    return {REQUIREMENTS_FILE: text} if packages(text) else {}
