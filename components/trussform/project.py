"""A stack file and its servers, read and planned: where every command begins."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from trussform.config import load_config_folder
from trussform.config.folder import CONFIG_FILE, config_file
from trussform.config.instances import ACCELERATORS
from trussform.plan import Plan, plan
from trussform.plan.names import kubernetes_name
from trussform.plan.secrets import remove_command, set_command
from trussform.problem import FieldPath, Location, Problem, ProblemError, dotted
from trussform.schema import Model, fit
from trussform.source import Source, is_mapping, parts
from trussform.stage import Digest, GatewayRoute, Gpu, Stage
from trussform.yaml_reader import read

STAGE = "trussform:stage"
SECRETS = "trussform:secrets"

_HELP_UNREAD = "add it to `secrets` of the config that needs it, or "
FROM_ELSEWHERE = "the value here is not used, as the stage's `secrets` names another source"
_PROJECT_FILES = ("Pulumi.json", "Pulumi.yaml", "Pulumi.yml")
"""The names that Pulumi looks for, in its order."""
_SEPARATORS = ("/", os.sep)
"""Signs that make a value of `--stack` a path."""

# Without validation, for which pydantic would first take as long as for ten configs.
ANY_STAGE = Stage.model_construct(
    environment="production",
    registry="registry.example.com",
    domain="example.com",
    auth="none",
    route=GatewayRoute.model_construct(name="gateway"),
    gpu=Gpu.model_construct(products={name: ["any"] for name in ACCELERATORS}),
)
"""Stands in for the stage where a config is checked alone."""


class Lock(Model):
    """The lock file of a stage with `tags: locked`."""

    digests: dict[str, Digest]


class Stack(NamedTuple):
    """One environment: its stage, and where the stage's words stand."""

    stage: Stage
    source: Source
    folder: Path
    """What the paths of the servers are relative to: the project's folder."""
    secret_names: Collection[str] | None
    """The secrets that the stack has values for; None where that is unknown."""
    problems: tuple[Problem, ...] = ()
    """What there is to say of the secrets as the file has them."""
    secrets: Source = Source({}, Location(""))
    """The block `trussform:secrets`, for the lines of the secrets."""


def lock_file(stack_file: Path) -> Path:
    """`stacks/Pulumi.production.yaml` -> `stacks/production.lock.yaml`."""
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


def named_stack_file(given: str) -> Path:
    """Returns the stack file for a value of `--stack`: a stack's name, or the file's path.

    A value with a path separator, or one that ends in `.yaml` or `.yml`, is a path. For a name,
    the project file is looked for in the current folder and above. Raises `ProblemError` if there
    is no project file, or no such stack file.
    """
    if given.endswith((".yaml", ".yml")) or any(sign in given for sign in _SEPARATORS):
        return Path(given)
    here = Path.cwd()
    found = next(filter(None, map(project_file, (here, *here.parents))), None)
    if found is None:
        message = f"no Pulumi.yaml in this folder or above, so no stack `{given}`"
        fix = "change to the project's folder, or give the stack's file: --stack FILE"
        raise ProblemError([Problem(None, (), message, fix, location=Location("--stack"))])
    file = stack_file(Path(os.path.relpath(found)), given)
    if os.path.isfile(file):
        return file
    there = ", ".join(map(str, sorted(file.parent.glob(f"Pulumi.?*{file.suffix}"))))
    message = f"the stack `{given}` has no file `{file}`"
    fix = f"use one of {there}" if there else "write it; `trussform schema stage` has its fields"
    raise ProblemError([Problem(None, (), message, fix, location=Location("--stack"))])


def read_stack(file: Path) -> Stack:
    """Read a stack file; raises `ProblemError` with every problem of its stage."""
    source = read(file)
    secrets = source.sub("config", SECRETS)
    names: Collection[str] | None = secrets.data.keys() if is_mapping(secrets.data) else ()
    if _is_secure(secrets.data):
        names = None  # One secret that holds them all: nobody can see which.
    return stack_from(source.sub("config", STAGE), file, names, secrets)


def stack_from(
    source: Source, file: Path, secret_names: Collection[str] | None, secrets: Source
) -> Stack:
    """A stack from its blocks `trussform:stage` and `trussform:secrets`."""
    if source.data is None:
        message = f"the stack file has no `{STAGE}` block"
        fix = f"add `config: {{{STAGE}: {{environment: …}}}}`; `trussform schema stage` has it all"
        raise ProblemError([Problem("stage", (), message, fix, location=source.whole)])
    folder = _project_folder(file)
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
    """Whether data is what Pulumi writes for an encrypted value."""
    return is_mapping(data) and data.keys() == {"secure"}


def _secrets_in_the_stage(source: Source) -> Iterator[Problem]:
    """Values of the stage end up in state and pods in plain, so none of them may be secret."""
    for keys in parts(source.data):
        if keys[-1:] != ("secure",):
            continue
        if _is_secure(source.sub(*(str(key) for key in keys[:-1])).data):
            fix = f"remove it, and give it by `pulumi config set --secret --path '{SECRETS}.NAME'`"
            location = source.key_location(keys)
            message = "a secret has no place in the stage"
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
        message = "the secret stands here in plain text"
        yield Problem(None, field, message, fix, "warning", location)


def _project_folder(stack_file: Path) -> Path:
    """The nearest folder above with a `Pulumi.yaml`; relative where the stack file's path is."""
    up = stack_file.parent
    for folder in Path(os.path.abspath(stack_file)).parents:
        if project_file(folder):
            return up
        up = Path(os.path.relpath(folder.parent)) if not up.is_absolute() else folder.parent
    return stack_file.parent


def _config_problems(source: Source, folder: Path) -> Iterator[Problem]:
    """What is wrong with the configs of a stage that is wrong itself: all is told at once."""
    staged = source.sub("servers").data
    for name in staged if is_mapping(staged) else {}:
        path = source.sub("servers", name, "path").data
        if isinstance(path, str) and "\0" not in path and os.path.isfile(_file(folder / path)):
            try:
                load_config_folder(folder / path, source.sub("servers", name, "config"))
            except ProblemError as error:
                yield from error.problems


def servers(stack: Stack, paths: Sequence[Path] = ()) -> dict[str, Path]:
    """The servers to work on by name: those at `paths`, or all of the stage.

    A path that is none of the stage's gets its folder's name, and the stage's defaults.
    """
    staged = {name: stack.folder / server.path for name, server in stack.stage.servers.items()}
    if not paths:
        return staged
    chosen: dict[str, Path] = {}
    for path in paths:
        names = [name for name, at in staged.items() if _file(at) == _file(path)]
        if names:
            chosen |= {name: staged[name] for name in names}
            continue
        name = _file(path).parent.name
        other = staged.get(name) or chosen.get(name)
        if other is not None and _file(other) != _file(path):
            message = f"a second server of the name `{name}`, after {other}"
            fix = "rename the folder"
            raise ProblemError([Problem(None, (), message, fix, location=Location(str(path)))])
        chosen[name] = path
    return chosen


def _file(path: Path) -> Path:
    return Path(os.path.abspath(config_file(path)))


def plan_server(
    stack: Stack, name: str, path: Path, placed: Collection[str] = ()
) -> tuple[Plan, list[Problem]]:
    """Plan one server; raises `ProblemError` where its config cannot be used at all."""
    staged = stack.source.has(("servers", name))
    if staged and not os.path.isfile(_file(path)):
        at: FieldPath = ("servers", name, "path")
        written = stack.stage.servers[name].path
        message = f"there is no {CONFIG_FILE} at {written}"
        fix = f"correct the path as seen from {stack.folder}, or remove the server here"
        raise ProblemError([stack.source.locate(Problem("stage", at, message, fix))])
    patch = stack.source.sub("servers", name, "config") if staged else None
    truss = load_config_folder(path, patch)
    decided = plan(truss, stack.stage, name, stack.secret_names, placed)
    sources = {"config": truss.source, "stage": stack.source}
    found = [
        sources[problem.file or "stage"].locate(problem)
        for problem in decided.problems
        # Without a stage file, nobody wrote what the problem is about.
        if problem.file == "config" or stack.stage is not ANY_STAGE
    ]
    return decided, found


def plan_servers(stack: Stack, paths: Sequence[Path] = ()) -> tuple[dict[str, Plan], list[Problem]]:
    """Plan every server, with the problems of all of them."""
    plans: dict[str, Plan] = {}
    chosen = servers(stack, paths)
    problems: list[Problem] = [*stack.problems, *_same_names(stack, chosen)]
    for name, path in chosen.items():
        found: Iterable[Problem]
        try:
            plans[name], found = plan_server(stack, name, path)
        except ProblemError as error:
            found = error.problems
        problems += found
    if not paths:
        problems += unread_secrets(stack, plans)
    return plans, list(dict.fromkeys(problems))


def unread_secrets(stack: Stack, plans: Mapping[str, Plan]) -> Iterator[Problem]:
    """Yields a warning for each secret of the stack that no server reads.

    Yields nothing if a server has no plan, because the secrets that it reads are unknown.
    """
    if not stack.stage.servers or stack.stage.servers.keys() - plans.keys():
        return
    read = frozenset[str]().union(*(plan.given_secrets for plan in plans.values()))
    for name in stack.secret_names or ():
        if name in read:
            continue
        message, fix = "no server of the stack reads this secret", _HELP_UNREAD
        if any(elsewhere(plan, name) for plan in plans.values()):
            message, fix = FROM_ELSEWHERE, ""
        fix += f"run: {remove_command(name)}"
        location = stack.secrets.key_location((name,))
        yield Problem(None, (SECRETS, name), message, fix, "warning", location)


def elsewhere(plan: Plan, name: str) -> bool:
    """Returns true if the server mounts the secret from a source other than the stack."""
    return name in (*plan.secrets.names, *plan.secrets.undeclared)


def _same_names(stack: Stack, names: Iterable[str]) -> Iterator[Problem]:
    """Servers whose objects would be the same: a name with a hash is one that can be written."""
    taken: dict[str, str] = {}
    for name in {**stack.stage.servers, **dict.fromkeys(names)}:
        made = kubernetes_name(name)
        first = taken.setdefault(made, name)
        if first != name:
            path: FieldPath = ("servers", name)
            message = f"the objects of this server and of `{first}` would both be named `{made}`"
            fix, location = "rename one of the two", stack.source.key_location(path)
            yield Problem("stage", path, message, fix, location=location)


def blocking(problems: Iterable[Problem]) -> list[Problem]:
    """What stops an up: the errors, and what only an up cannot do without."""
    return [problem._replace(level="error") for problem in problems if problem.level != "warning"]


def without_stage(path: Path) -> Stack:
    """The stack to check a config with when no stack file is given."""
    return Stack(ANY_STAGE, Source({}, Location(str(path))), path, None)


def stage_from_dict(data: dict[str, Any]) -> tuple[Stage, Source]:
    """A stage that a program gives as a dict; its problems carry fields and no lines."""
    source = Source(data, Location("stage"), names=_names(data))
    return fit(Stage, source), source


def _names(data: Any, at: FieldPath = ()) -> dict[FieldPath, Location]:
    if not is_mapping(data):
        return {}
    names: dict[FieldPath, Location] = {}
    for key, value in data.items():
        keys = (*at, str(key))
        names[keys] = Location("stage")
        names |= _names(value, keys)
    return names
