"""A config and the files beside it: all that describes one server."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, cast

from trussform.config.config import Config, asks_for_nothing
from trussform.config.support import SUPPORT
from trussform.problem import FieldPath, Problem, ProblemError, counted
from trussform.schema import fit
from trussform.source import Source, is_mapping
from trussform.yaml_reader import read, read_text

CONFIG_FILE = "config.yaml"
_PUT_THERE = "put the files themselves there"
REQUIREMENTS_FILE = "requirements.txt"
MAX_CONFIG_BYTES = 200_000
"""Kubernetes takes 256 KiB of annotations, and the config is one."""
_REFUSED, _UNUSED = (
    {tuple(name.split(".")): fate.text for name, fate in SUPPORT.items() if fate.kind == kind}
    for kind in ("refused", "not applicable")
)


class Folder(NamedTuple):
    """A folder beside the config that the image gets."""

    path: Path
    place: str
    """Where it is in the image."""
    files: tuple[Path, ...]


class ConfigFolder(NamedTuple):
    """One server as its author wrote it, with the stage's override applied."""

    config: Config
    source: Source
    requirements: Mapping[str, str | Path]
    """The files of the requirements that apply, by the names that uv knows; text or a file."""
    folders: tuple[Folder, ...]
    problems: tuple[Problem, ...]


def config_file(path: Path) -> Path:
    """The config that a path stands for: itself, or the `config.yaml` of a folder."""
    is_file = path.suffix in (".yaml", ".yml") and not os.path.isdir(path)
    return path if is_file else path / CONFIG_FILE


def load_config_folder(path: Path, patch: Source | None = None) -> ConfigFolder:
    """Read a `config.yaml` (or the folder that holds one), overridden by `patch`.

    Raises `ProblemError` with every problem of the file at its line.
    """
    file = config_file(path)
    source = read(file)
    about_patch: list[Problem] = []
    if patch is not None:
        about_patch = list(_deletes_nothing(source, patch, patch.data, ()))
        source = source.patched(patch)
    if (size := _written(source.data)) > MAX_CONFIG_BYTES:
        message = f"the config has {size:,} bytes, and a pod can carry {MAX_CONFIG_BYTES:,}"
        fix = "move what is large into a file under data/"
        raise ProblemError([source.locate(Problem("config", (), message, fix))])
    problems = list(_not_yet(source))
    try:
        config = fit(Config, source)
    except ProblemError as error:
        raise ProblemError([*error.problems, *problems]) from None
    if problems:
        raise ProblemError(problems)
    requirements, about_requirements = _requirements(config, file.parent)
    folders, about_folders = _folders(config, file.parent)
    return ConfigFolder(
        config,
        source,
        requirements,
        folders,
        (*about_patch, *_remarks(config, source), *about_requirements, *about_folders),
    )


def _written(data: object, indent: int = 0) -> int:
    """The bytes of the data as YAML, where every line begins with its indent."""
    if is_mapping(data):
        keys = sum(len(key.encode()) + indent + 2 for key in data)
        return keys + sum(_written(value, indent + 2) for value in data.values())
    if isinstance(data, list):
        items = cast(list[object], data)
        return sum(_written(item, indent + 2) + indent + 2 for item in items)
    text = data if isinstance(data, str) else str(data)
    return len(json.dumps(text)) + (indent + 1) * text.count("\n")


def _deletes_nothing(
    source: Source, patch: Source, part: object, keys: FieldPath
) -> Iterator[Problem]:
    """Nulls of an override, which delete, where the config has nothing to delete."""
    if part is None and keys and not source.has(keys):
        fix = "write the field into the config itself, or remove it here"
        message = "null deletes, and the config has nothing here"
        yield Problem("config", keys, message, fix, "warning", patch.key_location(keys))
    for key, value in part.items() if is_mapping(part) else ():
        yield from _deletes_nothing(source, patch, value, (*keys, key))


def _not_yet(source: Source) -> Iterator[Problem]:
    """What Truss knows and Trussform does not honour yet."""
    for keys, why in _REFUSED.items():
        if source.has(keys) and not asks_for_nothing(source.sub(*keys).data):
            message = "Trussform cannot honour this field yet"
            yield Problem("config", keys, message, why, location=source.key_location(keys))


def _remarks(config: Config, source: Source) -> Iterator[Problem]:
    """What is worth a warning and not an error."""
    for keys, why in _UNUSED.items():
        if source.has(keys):
            message = f"has no effect here: {why}"
            fix = "nothing to do; remove it if it confuses readers"
            yield Problem("config", keys, message, fix, "warning")
    if config.runtime.transport.kind == "grpc":
        message = "the probes ask gRPC's health service, and no endpoint of docker_server is used"
        fix = "serve grpc.health.v1.Health; without it the server never becomes ready"
        yield Problem("config", ("runtime", "transport", "kind"), message, fix, "warning")
    for name, value in config.secrets.items():
        if value is not None:
            fix = "write null; the value comes from the stage"
            yield Problem("config", ("secrets", name), "the text here is not used", fix, "warning")
    if config.docker_server.no_build:
        for name in ("requirements", "requirements_file", "system_packages", "build_commands"):
            if getattr(config, name):
                fix = "remove it, or remove no_build"
                yield Problem("config", (name,), "no_build installs nothing", fix, "warning")


_PROJECT_FILES = {"pyproject.toml": ("pyproject.toml",), "uv.lock": ("pyproject.toml", "uv.lock")}
"""What is needed besides a file of requirements that is a project's."""


def _requirements(config: Config, folder: Path) -> tuple[dict[str, str | Path], list[Problem]]:
    """The files to install from. A list in the config, even an empty one, says all there is; a
    `requirements.txt` beside a config without one is installed, too."""
    named = config.requirements_file
    listed = "requirements" in config.model_fields_set
    beside = os.path.isfile(folder / REQUIREMENTS_FILE)
    if not named and (listed or config.docker_server.no_build or not beside):
        return _as_file("".join(f"{line}\n" for line in config.requirements)), []
    file = folder / (named or REQUIREMENTS_FILE)
    field: FieldPath = ("requirements_file",) if named else ()
    files = {name: file.with_name(name) for name in _PROJECT_FILES.get(file.name, (file.name,))}
    problems = [
        Problem("config", field, f"{path}: {message}", fix)
        for path in files.values()
        for message, fix in _no_file_of_the_config(path, folder)
    ]
    if problems or file.name in _PROJECT_FILES:
        return {**files}, problems
    try:
        text = read_text(file)
    except ProblemError as error:
        (problem,) = error.problems
        message = f"{problem.location}: {problem.message}"
        return {}, [Problem("config", field, message, problem.fix)]
    if named:
        return _as_file(text), []
    return _as_file(text), list(_unnamed(text))


def _unnamed(text: str) -> Iterator[Problem]:
    """The change by a `requirements.txt` that the config does not name."""
    lines = _packages(text)
    if not lines:
        return
    pinned = sum("==" in line for line in lines)
    count = counted(len(lines), "package")
    message = (
        f"{REQUIREMENTS_FILE} beside the config is installed, as in Baseten's guide, and Truss's "
        f"own build passes it over: its {count} ({pinned} pinned) may replace the base image's"
    )
    fix = (
        f"write `requirements_file: {REQUIREMENTS_FILE}` so that both install it; write "
        "`requirements: []`, here or in the server's `config` in the stage, so that neither does"
    )
    yield Problem("config", (), message, fix, "warning")


def _packages(text: str) -> list[str]:
    """The lines of a file of requirements that name something to install."""
    lines = [line.split(" #")[0].strip() for line in text.splitlines()]
    options = ("-i", "-f", "-c", "--")
    return [line for line in lines if line and not line.startswith(("#", *options))]


def _no_file_of_the_config(path: Path, folder: Path) -> Iterator[tuple[str, str]]:
    if not _is_within(path, folder):
        yield "a link that leads out of the config's folder", "put the file itself there"
    elif not os.path.isfile(path):
        yield "no such file", "give the path of a file that exists"


def _as_file(text: str) -> dict[str, str | Path]:
    return {REQUIREMENTS_FILE: text} if _packages(text) else {}


def _folders(config: Config, folder: Path) -> tuple[tuple[Folder, ...], list[Problem]]:
    places = (
        ("data_dir", config.data_dir, "/app/data"),
        ("model_module_dir", config.model_module_dir, "/app/model"),
        ("bundled_packages_dir", config.bundled_packages_dir, "/packages"),
    )
    folders: list[Folder] = []
    problems: list[Problem] = []
    for field, name, place in places:
        path = folder / name
        if not os.path.isdir(path):
            continue
        if config.docker_server.no_build and field != "data_dir":
            message = f"no_build brings the data folder alone, and not {name}"
            fix = "remove no_build, or the folder"
            problems.append(Problem("config", (field,), message, fix, "warning"))
            continue
        if not _may_bring(path, folder, folder):
            message = f"{path}: the folder is a link that leads out of the config's folder"
            problems.append(Problem("config", (field,), message, _PUT_THERE))
            continue
        files = _files(path)
        problems += [
            Problem("config", (field,), f"{path}: {problem}", _PUT_THERE)
            for problem in _unfit(path, files)
        ]
        folders.append(Folder(path, place, files))
    packages, about_packages = _external_packages(config, folder)
    return (*folders, *packages), [*problems, *about_packages]


def _external_packages(config: Config, folder: Path) -> tuple[list[Folder], list[Problem]]:
    """What is in these folders lies beside the bundled packages, as in Truss."""
    packages: list[Folder] = []
    problems: list[Problem] = []
    project = _project(folder) if config.external_package_dirs else folder
    for i, name in enumerate(config.external_package_dirs):
        path, keys = folder / name, ("external_package_dirs", i)
        if "\0" in name or not os.path.isdir(path):
            fix = "give the path of a folder, relative to the config's own"
            problems.append(Problem("config", keys, "no such folder", fix))
            continue
        if not _may_bring(path, folder, project):
            message = f"the folder is none of packages within the project, {project}"
            fix = "keep shared packages in a folder of their own, in the config's repository"
            problems.append(Problem("config", keys, message, fix))
            continue
        files = _files(path)
        problems += [
            Problem("config", keys, problem, _PUT_THERE) for problem in _unfit(path, files)
        ]
        packages.append(Folder(path, "/packages", files))
    return ([], problems) if config.docker_server.no_build else (packages, problems)


def _project(folder: Path) -> Path:
    """What the config may bring packages from: its repository, or the project, or what is beside
    it. A config is somebody's text, and an image no place for the rest of this machine."""
    here = Path(os.path.realpath(folder))
    for mark in (".git", "Pulumi.yaml"):
        for above in (here, *here.parents):
            if os.path.lexists(above / mark):
                return above
    return here if here.parent == here.parent.parent else here.parent


def _files(path: Path) -> tuple[Path, ...]:
    return tuple(sorted(Path(at, file) for at, _, found in os.walk(path) for file in found))


def _may_bring(path: Path, folder: Path, top: Path) -> bool:
    """Whether a path is below the top, is none of git's own, and has not the config in it."""
    gits = ".git" in Path(os.path.realpath(path)).parts
    return _is_within(path, top) and not _is_within(folder, path) and not gits


def _is_within(path: Path, folder: Path) -> bool:
    """Whether a path is the folder or in it, all links followed."""
    at, above = (os.path.join(os.path.realpath(one), "") for one in (path, folder))
    return at.startswith(above)


def _unfit(path: Path, files: tuple[Path, ...]) -> Iterator[str]:
    """What the image cannot get: links to other folders or to the outside, odd names."""
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
            yield f"{name} is no file, or a link to none"
        elif not os.access(file, os.R_OK):
            yield f"the file {name} cannot be read"
        elif not name.isprintable() or "\ufffd" in name:
            yield f"{name!r} is no name that a build can take"
