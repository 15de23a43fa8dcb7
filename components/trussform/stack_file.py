"""Stack files: the stage, the secrets, and the lock file beside it."""

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
"""The key of the stage in a stack file."""
SECRETS = "trussform:secrets"
"""The key of the secrets in a stack file."""

_PROJECT_FILES = ("Pulumi.json", "Pulumi.yaml", "Pulumi.yml")
"""The names that Pulumi looks for, in its order."""
_SEPARATORS = ("/", os.sep)
"""A value of `--stack` with one of these is a path."""


class Lock(Model):
    """The content of the lock file of a stage with `tags: locked`."""

    digests: dict[str, Digest]
    """The digests by image."""


class Stack(NamedTuple):
    """A stack: its stage, the names of its secrets, and the locations of both."""

    stage: Stage
    source: Source
    """The locations of the stage's fields."""
    folder: Path
    """The project's folder, which the paths of the servers are relative to."""
    secret_names: KnownSecrets
    """The names of the secrets that the stack has values for."""
    problems: tuple[Problem, ...] = ()
    """The problems of the block `trussform:secrets`."""
    secrets: Source = Source({}, Location(""))
    """The locations of the secrets."""


def lock_file(stack_file: Path) -> Path:
    """Returns the path of the lock file: `stacks/production.lock.yaml`."""
    name = stack_file.name.removeprefix("Pulumi.").removesuffix(stack_file.suffix)
    return stack_file.with_name(f"{name}.lock.yaml")


def project_file(folder: Path) -> Path | None:
    """Returns Pulumi's project file in a folder; None if there is none."""
    return next((folder / name for name in _PROJECT_FILES if os.path.isfile(folder / name)), None)


def stack_file(project: Path, stack: str) -> Path:
    """Returns the path of a stack's file, in the `stackConfigDir` of the project file.

    The file may be missing. Raises `ProblemError` if the project file cannot be read. The same rule
    is in pulumi/pulumi, sdk/go/common/workspace/paths.go: ProjectStackPath.
    """
    settings = read(project).data
    old = settings.get("config") if is_mapping(settings) else None  # The former name of the field.
    folder = settings.get("stackConfigDir", old) if is_mapping(settings) else None
    file = f"Pulumi.{stack}{project.suffix}"
    return project.parent / (folder if isinstance(folder, str) else "") / file


def named_stack_file(value: str | None) -> Path:
    """Returns the stack file for a value of `--stack`: a stack's name, or the file's path.

    A value with a path separator, or one that ends in `.yaml` or `.yml`, is a path. A name belongs
    to the project in the current folder or above. None means the stack that is selected there.
    Raises `ProblemError` if the stack, the project or the file does not exist.
    """
    if value and (value.endswith((".yaml", ".yml")) or any(sign in value for sign in _SEPARATORS)):
        return Path(value)
    here = Path.cwd()
    project = next(filter(None, map(project_file, (here, *here.parents))), None)
    if project is None:
        message = "this folder and the folders above have no Pulumi.yaml"
        message += f", so there is no stack `{value}`" if value else ""
        raise _option_error(message, f"change to the project's folder, or write {_FILE}")
    settings = read(project).data
    name = value or selected_stack(project, settings if is_mapping(settings) else {})
    if name is None:
        fix = "run `pulumi stack select NAME`, or write `--stack NAME`"
        raise _option_error("no stack is selected", fix)
    file = stack_file(Path(os.path.relpath(project)), name)
    if os.path.isfile(file):
        return file
    others = ", ".join(map(str, sorted(file.parent.glob(f"Pulumi.?*{file.suffix}"))))
    message = f"the stack `{name}` has no file `{file}`"
    fix = "create it; `trussform schema stage` lists the fields of its stage"
    fix = f"use one of {others}" if others else fix
    raise _option_error(message, fix)


_FILE = "`--stack FILE`"


def _option_error(message: str, fix: str) -> ProblemError:
    return ProblemError([Problem(None, (), message, fix, location=Location("--stack"))])


def read_stack(file: Path) -> Stack:
    """Returns the stack of a file; raises `ProblemError` with every problem of its stage."""
    source = read(file)
    secrets = source.sub("config", SECRETS)
    names: KnownSecrets = secrets.data.keys() if is_mapping(secrets.data) else ()
    if _is_secure(secrets.data) or has_environments(source):
        names = UNKNOWN  # The block is one encrypted value, or an environment has more names.
    stage = source.sub("config", STAGE)
    if stage.data is None and has_environments(source):
        message = "the stage is in an environment of the stack, which only Pulumi reads"
        fix = "run `pulumi preview`, which checks it"
        location = source.key_location(("environment",))
        raise ProblemError([Problem("stage", (), message, fix, location=location)])
    return stack_from(stage, file, names, secrets)


def has_environments(stack_file: Source) -> bool:
    """Returns true if a stack file takes values from environments of Pulumi ESC."""
    return is_mapping(stack_file.data) and bool(stack_file.data.get("environment"))


def stack_from(source: Source, file: Path, secret_names: KnownSecrets, secrets: Source) -> Stack:
    """Returns a stack from its blocks `trussform:stage` and `trussform:secrets`.

    Raises `ProblemError` with every problem of the stage and of its configs.
    """
    if source.data is None:
        message = f"the stack file has no `{STAGE}` block"
        fix = f"add `config: {{{STAGE}: {{environment: …}}}}` (fields: `trussform schema stage`)"
        raise ProblemError([Problem("stage", (), message, fix, location=source.whole)])
    folder = project_folder(file)
    misplaced = list(_encrypted_values(source))
    try:
        stage = fit(Stage, source)
    except ProblemError as error:
        problems = misplaced or error.problems
        raise ProblemError([*problems, *_config_problems(source, folder)]) from None
    if misplaced:
        raise ProblemError(misplaced)
    lock = lock_file(file)
    if stage.tags == "locked" and lock.is_file():
        stage = _locked(stage, lock)
    return Stack(stage, source, folder, secret_names, tuple(_secret_problems(secrets)), secrets)


def stack_of_arguments(source: Source, secret_names: KnownSecrets, lock: str | None) -> Stack:
    """Returns the stack of a program's own arguments, with the digests of a lock file.

    Raises `ProblemError` with every problem of the stage, and of the lock file.
    """
    try:
        stage = fit(Stage, source)
    except ProblemError as error:
        raise ProblemError([*error.problems, *_config_problems(source, Path())]) from None
    if lock is not None:
        stage = _locked(stage, Path(lock))
    return Stack(stage, source, Path(), secret_names)


def _locked(stage: Stage, lock: Path) -> Stage:
    """Returns the stage with the digests of a lock file; its own take precedence."""
    locked = fit(Lock, read(lock)).digests
    return stage.model_copy(update={"digests": {**locked, **stage.digests}})


def _is_secure(data: object) -> bool:
    """Returns true if data has the form in which Pulumi writes an encrypted value."""
    return is_mapping(data) and data.keys() == {"secure"}


def _encrypted_values(source: Source) -> Iterator[Problem]:
    """Yields an error for each encrypted value of the stage.

    The state and the pods would show such a value in plain text.
    """
    for path in parts(source.data):
        if path[-1:] != ("secure",):
            continue
        if _is_secure(source.sub(*(str(key) for key in path[:-1])).data):
            fix = f"remove it, and run `pulumi config set --secret --path '{SECRETS}.NAME'`"
            location = source.key_location(path)
            message = "the stage must not contain a secret"
            yield Problem("stage", path[:-1], message, fix, location=location)


def _secret_problems(secrets: Source) -> Iterator[Problem]:
    """Yields a problem for each secret that is in plain text, or is not text at all."""
    for name, value in secrets.data.items() if is_mapping(secrets.data) else ():
        if _is_secure(secrets.data) or _is_secure(value):
            continue
        field, location = (SECRETS, name), secrets.location((name,))
        if is_mapping(value) or isinstance(value, list):
            fix = f"set '{dotted(field)}' to a text"
            yield Problem(None, field, "the secret is not a text", fix, location=location)
            continue
        fix = f"run: {set_command(name)}"
        message = "the secret is in plain text"
        yield Problem(None, field, message, fix, "warning", location)


def project_folder(stack_file: Path) -> Path:
    """Returns the nearest folder above with a project file; relative if the path is."""
    up = stack_file.parent
    for folder in Path(os.path.abspath(stack_file)).parents:
        if project_file(folder):
            return up
        up = Path(os.path.relpath(folder.parent)) if not up.is_absolute() else folder.parent
    return stack_file.parent


def _config_problems(source: Source, folder: Path) -> Iterator[Problem]:
    """Yields the problems of the configs of an invalid stage, to list all problems at once."""
    servers = source.sub("servers").data
    for name in servers if is_mapping(servers) else {}:
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
    """Returns the absolute path of the config at `path`, a file or a folder."""
    return Path(os.path.abspath(config_file(path)))
