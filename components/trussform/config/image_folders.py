"""The folders beside a config that the image gets."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from trussform.config.config import Config
from trussform.config.paths import is_within
from trussform.problem import FieldPath, Problem

_PUT_THERE = "put the files themselves there"

FolderField = Literal[
    "data_dir", "model_module_dir", "bundled_packages_dir", "external_package_dirs"
]


class Folder(NamedTuple):
    """A folder beside the config."""

    field: FolderField
    """The field of the config that names it."""
    name: str
    """Its path as the field has it."""
    path: Path
    place: str
    """Its path in the image."""
    files: tuple[Path, ...] = ()
    problems: tuple[Problem, ...] = ()
    """The problems of its files; no concern of an image that does not get the folder."""


def folders(config: Config, folder: Path) -> Iterator[Folder]:
    """Yields the folders that exist of those that the config has a name for."""
    places: tuple[tuple[FolderField, str, str], ...] = (
        ("data_dir", config.data_dir, "/app/data"),
        ("model_module_dir", config.model_module_dir, "/app/model"),
        ("bundled_packages_dir", config.bundled_packages_dir, "/packages"),
    )
    for field, name, place in places:
        path = folder / name
        if not os.path.isdir(path):
            continue
        if not _may_bring(path, folder, folder):
            message = f"{path}: the folder is a link that leads out of the config's folder"
            problems = (Problem("config", (field,), message, _PUT_THERE),)
            yield Folder(field, name, path, place, problems=problems)
            continue
        files = _files(path)
        problems = tuple(
            Problem("config", (field,), f"{path}: {problem}", _PUT_THERE)
            for problem in _unfit(path, files)
        )
        yield Folder(field, name, path, place, files, problems)


def external_packages(config: Config, folder: Path) -> tuple[list[Folder], list[Problem]]:
    """Returns the folders of `external_package_dirs`, whose content goes to the same place as the
    bundled packages, as in Truss."""
    packages: list[Folder] = []
    problems: list[Problem] = []
    project = _project(folder) if config.external_package_dirs else folder
    for i, name in enumerate(config.external_package_dirs):
        path = folder / name
        field: FieldPath = ("external_package_dirs", i)
        if "\0" in name or not os.path.isdir(path):
            fix = "give the path of a folder, relative to the config's own"
            problems.append(Problem("config", field, "no such folder", fix))
            continue
        if not _may_bring(path, folder, project):
            message = f"the folder is not within the project, {project}"
            fix = "keep shared packages in a folder of their own, in the config's repository"
            problems.append(Problem("config", field, message, fix))
            continue
        files = _files(path)
        problems += [
            Problem("config", field, problem, _PUT_THERE) for problem in _unfit(path, files)
        ]
        packages.append(Folder("external_package_dirs", name, path, "/packages", files))
    return packages, problems


def _project(folder: Path) -> Path:
    """Returns the folder that the config may bring packages from: its repository, the project, or
    the folder above its own. An image is not a place for the rest of this machine."""
    here = Path(os.path.realpath(folder))
    for mark in (".git", "Pulumi.yaml"):
        for above in (here, *here.parents):
            if os.path.lexists(above / mark):
                return above
    return here if here.parent == here.parent.parent else here.parent


def _files(path: Path) -> tuple[Path, ...]:
    return tuple(sorted(Path(at, file) for at, _, found in os.walk(path) for file in found))


def _may_bring(path: Path, folder: Path, top: Path) -> bool:
    """Returns true if a path is below the top, not in git's folder, and not above the config."""
    gits = ".git" in Path(os.path.realpath(path)).parts
    return is_within(path, top) and not is_within(folder, path) and not gits


def _unfit(path: Path, files: tuple[Path, ...]) -> Iterator[str]:
    """Yields what the image cannot get: links to folders or to the outside, odd names."""
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
            yield f"the link {name} leads out of the folder"
        elif not os.path.isfile(file):
            yield f"{name} is not a file, or is a broken link"
        elif not os.access(file, os.R_OK):
            yield f"the file {name} cannot be read"
        elif not name.isprintable() or "\ufffd" in name:
            yield f"{name!r} is not a name that a build can take"
