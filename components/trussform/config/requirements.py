"""The requirements of a server, from a list in the config or from a file."""

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
"""The files to copy for a `requirements_file` that describes a project, by its name."""


class Requirements(NamedTuple):
    """The requirements to install."""

    files: Mapping[str, str | Path]
    """A text or a file, by the file's name for uv."""
    unnamed: bool = False
    """True if they come from a `requirements.txt` that the config does not name."""
    problems: tuple[Problem, ...] = ()
    """The problems of the files."""


def read_requirements(config: Config, folder: Path) -> Requirements:
    """Returns the requirements of the config, or of a `requirements.txt` beside it.

    The file beside it counts only if the config has no `requirements_file`, no `requirements` (not
    even an empty list) and no `no_build`.
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
        for message, fix in _path_problems(path, folder)
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
    """Returns the lines of a requirements file that name packages."""
    lines = [line.split(" #")[0].strip() for line in text.splitlines()]
    options = ("-i", "-f", "-c", "--")
    return [line for line in lines if line and not line.startswith(("#", *options))]


def _path_problems(path: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """Yields a message and a fix if the path is not a file below the folder."""
    if not is_within(path, folder):
        yield "the link points outside the config's folder", "copy the file into the folder"
    elif not os.path.isfile(path):
        yield "no such file", "give the path of a file that exists"


def _as_file(text: str) -> dict[str, str | Path]:
    return {REQUIREMENTS_FILE: text} if packages(text) else {}
