"""A config and the files beside it: everything that describes one server."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, cast

from trussform.config.config import Config, asks_for_nothing
from trussform.config.image_folders import Folder, external_packages, folders
from trussform.config.requirements import read_requirements
from trussform.config.support import SUPPORT
from trussform.problem import FieldPath, Problem, ProblemError
from trussform.schema import fit
from trussform.source import Source, is_mapping
from trussform.yaml_reader import read

CONFIG_FILE = "config.yaml"
MAX_CONFIG_BYTES = 200_000
"""Kubernetes takes 256 KiB of annotations, and the config is one."""


class ConfigFolder(NamedTuple):
    """One server as its author wrote it, with the stage's override applied."""

    config: Config
    source: Source
    requirements: Mapping[str, str | Path]
    """The files of the requirements that apply, by the names that uv knows; text or a file."""
    unnamed_requirements: bool
    """True if these are a `requirements.txt` beside the config, which the config does not name."""
    folders: tuple[Folder, ...]
    problems: tuple[Problem, ...]


def config_file(path: Path) -> Path:
    """Returns the config that a path stands for: itself, or the `config.yaml` of a folder."""
    is_file = path.suffix in (".yaml", ".yml") and not os.path.isdir(path)
    return path if is_file else path / CONFIG_FILE


def load_config_folder(path: Path, patch: Source | None = None) -> ConfigFolder:
    """Reads a `config.yaml` (or the folder that holds one), overridden by `patch`.

    Raises `ProblemError` with every problem of the file at its line.
    """
    file = config_file(path)
    source = read(file)
    about_patch: list[Problem] = []
    if patch is not None:
        about_patch = list(_deletes_nothing(source, patch, patch.data, ()))
        source = source.patched(patch)
    if (size := _written(source.data)) > MAX_CONFIG_BYTES:
        message = f"the config has {size:,} bytes; the limit is {MAX_CONFIG_BYTES:,}"
        fix = "move large values into a file under data/"
        raise ProblemError([source.locate(Problem("config", (), message, fix))])
    problems = list(_not_yet(source))
    try:
        config = fit(Config, source)
    except ProblemError as error:
        raise ProblemError([*error.problems, *problems]) from None
    if problems:
        raise ProblemError(problems)
    requirements = read_requirements(config, file.parent)
    packages, about_packages = external_packages(config, file.parent)
    return ConfigFolder(
        config,
        source,
        requirements.files,
        requirements.unnamed,
        (*folders(config, file.parent), *packages),
        (*about_patch, *requirements.problems, *about_packages),
    )


def _written(data: object, indent: int = 0) -> int:
    """Returns the bytes of the data as YAML, each line of it with its indent."""
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
    """Yields the nulls of an override, which delete, if the config has nothing to delete."""
    if part is None and keys and not source.has(keys):
        fix = "remove it here, or add the field to the config"
        message = "null deletes this field, but the config does not have it"
        yield Problem("config", keys, message, fix, "warning", patch.key_location(keys))
    for key, value in part.items() if is_mapping(part) else ():
        yield from _deletes_nothing(source, patch, value, (*keys, key))


def _not_yet(source: Source) -> Iterator[Problem]:
    """Yields the fields that Truss knows and Trussform does not support yet."""
    for name, support in SUPPORT.items():
        path = tuple(name.split("."))
        if support.kind != "refused" or not source.has(path):
            continue
        if not asks_for_nothing(source.sub(*path).data):
            message = "Trussform does not support this field yet"
            location = source.key_location(path)
            yield Problem("config", path, message, support.text, location=location)
