"""A stack file: its stage, its secrets, and the lock file beside it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from trussform.config import load_config_folder
from trussform.config.folder import config_file
from trussform.plan import UNKNOWN, KnownSecrets
from trussform.plan.known_secrets import set_command
from trussform.problem import Location, Problem, ProblemError, dotted
from trussform.schema import Model, fit
from trussform.selected_stack import selected_stack
from trussform.source import Source, is_mapping, parts
from trussform.stage import Digest, Stage
from trussform.yaml_reader import read

STAGE = "trussform:stage"
SECRETS = "trussform:secrets"

_PROJECT_FILES = ("Pulumi.json", "Pulumi.yaml", "Pulumi.yml")
"""The names that Pulumi looks for, in its order."""
_SEPARATORS = ("/", os.sep)
"""Signs that make a value of `--stack` a path."""


class Lock(Model):
    """The lock file of a stage with `tags: locked`."""

    digests: dict[str, Digest]


class Stack(NamedTuple):
    """One environment: its stage, and the locations of the stage's fields."""

    stage: Stage
    source: Source
    folder: Path
    """The project's folder, which the paths of the servers are relative to."""
    secret_names: KnownSecrets
    """The secrets that the stack has values for."""
    problems: tuple[Problem, ...] = ()
    """The problems of the secrets in the file."""
    secrets: Source = Source({}, Location(""))
    """The block `trussform:secrets`, for the lines of the secrets."""


def lock_file(stack_file: Path) -> Path:
    """Returns the path of the lock file: `stacks/production.lock.yaml`."""
    name = stack_file.name.removeprefix("Pulumi.").removesuffix(stack_file.suffix)
    return stack_file.with_name(f"{name}.lock.yaml")


def project_file(folder: Path) -> Path | None:
    """Returns Pulumi's project file in a folder; None where it has none."""
    return next((folder / name for name in _PROJECT_FILES if os.path.isfile(folder / name)), None)


def stack_file(project: Path, stack: str) -> Path:
    """Returns the path of a stack's file, as `Pulumi.yaml` and its `stackConfigDir` say.

    The rule is that of ProjectStackPath in pulumi/pulumi, sdk/go/common/workspace/paths.go. The
    file need not be there. Raises `ProblemError` where the project file cannot be read.
    """
    settings = read(project).data
    old = settings.get("config") if is_mapping(settings) else None  # Its former name.
    folder = settings.get("stackConfigDir", old) if is_mapping(settings) else None
    file = f"Pulumi.{stack}{project.suffix}"
    return project.parent / (folder if isinstance(folder, str) else "") / file


def named_stack_file(given: str | None) -> Path:
    """Returns the stack file for a value of `--stack`: a stack's name, or the file's path.

    A value with a path separator, or one that ends in `.yaml` or `.yml`, is a path. For a name,
    the project file is looked for in the current folder and above; None means the stack that
    Pulumi has selected there. Raises `ProblemError` if there is no such stack, project or file.
    """
    if given and (given.endswith((".yaml", ".yml")) or any(sign in given for sign in _SEPARATORS)):
        return Path(given)
    here = Path.cwd()
    project = next(filter(None, map(project_file, (here, *here.parents))), None)
    if project is None:
        of = f", so no stack `{given}`" if given else ""
        message = f"no Pulumi.yaml in this folder or above{of}"
        raise _about_option(message, f"change to the project's folder, or give {_FILE}")
    settings = read(project).data
    name = given or selected_stack(project, settings if is_mapping(settings) else {})
    if name is None:
        raise _about_option(
            "no stack is selected", f"run `pulumi stack select NAME`, or give {_FILE}"
        )
    file = stack_file(Path(os.path.relpath(project)), name)
    if os.path.isfile(file):
        return file
    others = ", ".join(map(str, sorted(file.parent.glob(f"Pulumi.?*{file.suffix}"))))
    message = f"the stack `{name}` has no file `{file}`"
    fix = f"use one of {others}" if others else "write it; `trussform schema stage` has its fields"
    raise _about_option(message, fix)


_FILE = "the stack's file: --stack FILE"


def _about_option(message: str, fix: str) -> ProblemError:
    return ProblemError([Problem(None, (), message, fix, location=Location("--stack"))])


def read_stack(file: Path) -> Stack:
    """Reads a stack file; raises `ProblemError` with every problem of its stage."""
    source = read(file)
    secrets = source.sub("config", SECRETS)
    names: KnownSecrets = secrets.data.keys() if is_mapping(secrets.data) else ()
    if _is_secure(secrets.data):
        names = UNKNOWN  # One encrypted value holds them all.
    return stack_from(source.sub("config", STAGE), file, names, secrets)


def stack_from(source: Source, file: Path, secret_names: KnownSecrets, secrets: Source) -> Stack:
    """Returns a stack from its blocks `trussform:stage` and `trussform:secrets`."""
    if source.data is None:
        message = f"the stack file has no `{STAGE}` block"
        fix = f"add `config: {{{STAGE}: {{environment: …}}}}`; `trussform schema stage` has it all"
        raise ProblemError([Problem("stage", (), message, fix, location=source.whole)])
    folder = project_folder(file)
    misplaced = list(_secrets_in_the_stage(source))
    try:
        stage = fit(Stage, source)
    except ProblemError as error:
        told = misplaced or error.problems
        raise ProblemError([*told, *_config_problems(source, folder)]) from None
    if misplaced:
        raise ProblemError(misplaced)
    lock = lock_file(file)
    if stage.tags == "locked" and lock.is_file():
        locked = fit(Lock, read(lock)).digests
        stage = stage.model_copy(update={"digests": {**locked, **stage.digests}})
    return Stack(stage, source, folder, secret_names, tuple(_secret_problems(secrets)), secrets)


def _is_secure(data: object) -> bool:
    """Returns true if data has the form in which Pulumi writes an encrypted value."""
    return is_mapping(data) and data.keys() == {"secure"}


def _secrets_in_the_stage(source: Source) -> Iterator[Problem]:
    """Yields the encrypted values of the stage, which state and pods would show in plain text."""
    for keys in parts(source.data):
        if keys[-1:] != ("secure",):
            continue
        if _is_secure(source.sub(*(str(key) for key in keys[:-1])).data):
            fix = f"remove it, and run `pulumi config set --secret --path '{SECRETS}.NAME'`"
            location = source.key_location(keys)
            message = "a secret must not be in the stage"
            yield Problem("stage", keys[:-1], message, fix, location=location)


def _secret_problems(secrets: Source) -> Iterator[Problem]:
    for name, value in secrets.data.items() if is_mapping(secrets.data) else ():
        if _is_secure(secrets.data) or _is_secure(value):
            continue
        field, location = (SECRETS, name), secrets.location((name,))
        if is_mapping(value) or isinstance(value, list):
            fix = f"set '{dotted(field)}' to the text alone"
            yield Problem(None, field, "a secret is one text", fix, location=location)
            continue
        fix = f"run: {set_command(name)}"
        message = "the secret is here in plain text"
        yield Problem(None, field, message, fix, "warning", location)


def project_folder(stack_file: Path) -> Path:
    """Returns the nearest folder above with a `Pulumi.yaml`; relative if the given path is."""
    up = stack_file.parent
    for folder in Path(os.path.abspath(stack_file)).parents:
        if project_file(folder):
            return up
        up = Path(os.path.relpath(folder.parent)) if not up.is_absolute() else folder.parent
    return stack_file.parent


def _config_problems(source: Source, folder: Path) -> Iterator[Problem]:
    """Yields the problems of the configs of an invalid stage, so that all are shown at once."""
    staged = source.sub("servers").data
    for name in staged if is_mapping(staged) else {}:
        path = source.sub("servers", name, "path").data
        if (
            isinstance(path, str)
            and "\0" not in path
            and os.path.isfile(config_path(folder / path))
        ):
            try:
                load_config_folder(folder / path, source.sub("servers", name, "config"))
            except ProblemError as error:
                yield from error.problems


def config_path(path: Path) -> Path:
    """Returns the absolute path of the config that `path` stands for."""
    return Path(os.path.abspath(config_file(path)))
