"""The folders that the image build copies into the image."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from trussform.config.config import Config
from trussform.config.paths import is_within
from trussform.problem import FieldPath, Problem

_COPY_FILES = "copy the files into the folder"

FolderField = Literal[
    "data_dir", "model_module_dir", "bundled_packages_dir", "external_package_dirs"
]


class Folder(NamedTuple):
    """A folder that the image build may copy."""

    field: FolderField
    """The field of the config that names the folder."""
    name: str
    """The path as the config has it."""
    path: Path
    """The path on this machine."""
    place: str
    """The path in the image."""
    files: tuple[Path, ...] = ()
    """The files in the folder and below, sorted."""
    problems: tuple[Problem, ...] = ()
    """The problems of the files. They matter only if the image build copies the folder."""


def folders(config: Config, folder: Path) -> Iterator[Folder]:
    """Yields the existing folders of `data_dir`, `model_module_dir` and `bundled_packages_dir`."""
    places: tuple[tuple[FolderField, str, str], ...] = (
        ("data_dir", config.data_dir, "/app/data"),
        ("model_module_dir", config.model_module_dir, "/app/model"),
        ("bundled_packages_dir", config.bundled_packages_dir, "/packages"),
    )
    for field, name, place in places:
        path = folder / name
        if not os.path.isdir(path):
            continue
        if not _is_allowed(path, folder, folder):
            message = f"{path}: the link points outside the config's folder"
            problems = (Problem("config", (field,), message, _COPY_FILES),)
            yield Folder(field, name, path, place, problems=problems)
            continue
        files = _files(path)
        problems = tuple(
            Problem("config", (field,), f"{path}: {problem}", _COPY_FILES)
            for problem in _file_problems(path, files)
        )
        yield Folder(field, name, path, place, files, problems)


def external_packages(config: Config, folder: Path) -> tuple[list[Folder], list[Problem]]:
    """Returns the folders of `external_package_dirs`, and their problems.

    As in Truss, their content goes to `/packages`, like `bundled_packages_dir`.
    """
    packages: list[Folder] = []
    problems: list[Problem] = []
    project = _project(folder) if config.external_package_dirs else folder
    for i, name in enumerate(config.external_package_dirs):
        path = folder / name
        field: FieldPath = ("external_package_dirs", i)
        if "\0" in name or not os.path.isdir(path):
            fix = "write the path of a folder, relative to the config's folder"
            problems.append(Problem("config", field, "the folder does not exist", fix))
            continue
        if not _is_allowed(path, folder, project):
            message = f"the folder is outside the project {project}, in .git, or above the config"
            fix = "move the packages to a separate folder in the config's repository"
            problems.append(Problem("config", field, message, fix))
            continue
        files = _files(path)
        problems += [
            Problem("config", field, problem, _COPY_FILES)
            for problem in _file_problems(path, files)
        ]
        packages.append(Folder("external_package_dirs", name, path, "/packages", files))
    return packages, problems


def _project(folder: Path) -> Path:
    """Returns the folder that a config's packages must be in: its git repository.

    Without one, it is the Pulumi project, or else the folder above the config's. This keeps other
    files of this machine out of images.
    """
    here = Path(os.path.realpath(folder))
    for mark in (".git", "Pulumi.yaml"):
        for above in (here, *here.parents):
            if os.path.lexists(above / mark):
                return above
    return here if here.parent == here.parent.parent else here.parent


def _files(path: Path) -> tuple[Path, ...]:
    return tuple(sorted(Path(at, file) for at, _, found in os.walk(path) for file in found))


def _is_allowed(path: Path, folder: Path, top: Path) -> bool:
    """Returns true if a path is within `top`, outside `.git`, and does not contain `folder`."""
    in_git = ".git" in Path(os.path.realpath(path)).parts
    return is_within(path, top) and not is_within(folder, path) and not in_git


def _file_problems(path: Path, files: tuple[Path, ...]) -> Iterator[str]:
    """Yields a message for each file or folder that the image build cannot copy."""
    for at, names, _ in os.walk(path):
        for name in names:
            folder = Path(at, name)
            if folder.is_symlink():
                yield f"{folder.relative_to(path)} is a link to a folder"
            elif not os.access(folder, os.R_OK | os.X_OK):
                yield f"the folder {folder.relative_to(path)} cannot be read"
    inside = os.path.realpath(path) + os.sep
    for file in files:
        name = os.fsencode(file.relative_to(path)).decode(errors="replace")
        if not os.path.realpath(file).startswith(inside):
            yield f"the link {name} points outside the folder"
        elif not os.path.isfile(file):
            yield f"{name} is not a file, or is a broken link"
        elif not os.access(file, os.R_OK):
            yield f"the file {name} cannot be read"
        elif not name.isprintable() or "\ufffd" in name:
            yield f"the build cannot copy a file with the name {name!r}"
