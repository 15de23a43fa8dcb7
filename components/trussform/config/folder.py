"""A config and the files beside it, which describe one server."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, cast

from trussform.config.config import Config, has_no_effect
from trussform.config.image_folders import Folder, external_packages, folders
from trussform.config.requirements import read_requirements
from trussform.config.support import SUPPORT
from trussform.problem import FieldPath, Problem, ProblemError
from trussform.schema import fit
from trussform.source import Source, is_mapping
from trussform.yaml_reader import read

CONFIG_FILE = "config.yaml"
MAX_CONFIG_BYTES = 200_000
"""The most bytes of a config. It is an annotation, and Kubernetes allows 256 KiB of these."""


class ConfigFolder(NamedTuple):
    """One server's config with the stage's override applied, and the files beside it."""

    config: Config
    source: Source
    """The locations of the config's fields."""
    requirements: Mapping[str, str | Path]
    """The requirements to install, as a text or a file, by the file's name for uv."""
    unnamed_requirements: bool
    """True if they come from a `requirements.txt` that the config does not name."""
    folders: tuple[Folder, ...]
    """The folders that the image build may copy."""
    problems: tuple[Problem, ...]
    """The warnings and errors of the files and of the override."""


def config_file(path: Path) -> Path:
    """Returns the config at a path: the path itself, or the `config.yaml` of a folder."""
    is_file = path.suffix in (".yaml", ".yml") and not os.path.isdir(path)
    return path if is_file else path / CONFIG_FILE


def load_config_folder(path: Path, patch: Source | None = None) -> ConfigFolder:
    """Returns the config at `path`, a file or a folder, with the override `patch` applied.

    Raises `ProblemError` with every problem of the config.
    """
    file = config_file(path)
    source = read(file)
    patch_problems: list[Problem] = []
    if patch is not None:
        patch_problems = list(_useless_nulls(source, patch, patch.data, ()))
        source = source.patched(patch)
    if (size := _yaml_size(source.data)) > MAX_CONFIG_BYTES:
        message = f"the config has {size:,} bytes; the limit is {MAX_CONFIG_BYTES:,}"
        fix = "move large values into a file under data/"
        raise ProblemError([source.locate(Problem("config", (), message, fix))])
    problems = list(_unsupported_fields(source))
    try:
        config = fit(Config, source)
    except ProblemError as error:
        raise ProblemError([*error.problems, *problems]) from None
    if problems:
        raise ProblemError(problems)
    requirements = read_requirements(config, file.parent)
    packages, package_problems = external_packages(config, file.parent)
    return ConfigFolder(
        config,
        source,
        requirements.files,
        requirements.unnamed,
        (*folders(config, file.parent), *packages),
        (*patch_problems, *requirements.problems, *package_problems),
    )


def _yaml_size(data: object, indent: int = 0) -> int:
    """Returns an estimate of the data's bytes as YAML, with indents."""
    if is_mapping(data):
        keys = sum(len(key.encode()) + indent + 2 for key in data)
        return keys + sum(_yaml_size(value, indent + 2) for value in data.values())
    if isinstance(data, list):
        items = cast(list[object], data)
        return sum(_yaml_size(item, indent + 2) + indent + 2 for item in items)
    text = data if isinstance(data, str) else str(data)
    return len(json.dumps(text)) + (indent + 1) * text.count("\n")


def _useless_nulls(
    source: Source, patch: Source, part: object, path: FieldPath
) -> Iterator[Problem]:
    """Yields a warning for each null of an override that deletes nothing from the config."""
    if part is None and path and not source.has(path):
        fix = "remove it here, or add the field to the config"
        message = "null deletes this field, but the config does not have it"
        yield Problem("config", path, message, fix, "warning", patch.key_location(path))
    for key, value in part.items() if is_mapping(part) else ():
        yield from _useless_nulls(source, patch, value, (*path, key))


def _unsupported_fields(source: Source) -> Iterator[Problem]:
    """Yields an error for each field that Trussform does not support."""
    for name, support in SUPPORT.items():
        path = tuple(name.split("."))
        if support.kind != "refused" or not source.has(path):
            continue
        if not has_no_effect(source.sub(*path).data):
            message = "Trussform does not support this field yet"
            location = source.key_location(path)
            yield Problem("config", path, message, support.text, location=location)
