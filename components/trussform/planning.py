"""Plans of all servers of a stack, with their problems."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from trussform.config import load_config_folder
from trussform.config.folder import CONFIG_FILE
from trussform.config.instances import ACCELERATORS
from trussform.plan import UNKNOWN, Given, KnownSecrets, Plan, build_plan
from trussform.plan.known_secrets import UnknownSecrets, remove_command
from trussform.plan.names import kubernetes_name
from trussform.problem import FieldPath, Location, Problem, ProblemError
from trussform.source import Source, without_file
from trussform.stack_file import SECRETS, Stack, config_path, stack_of_arguments
from trussform.stage import GatewayRoute, Gpu, Stage

_ADD_SECRET = "add it to `secrets` of the config that needs it, or "
FROM_ELSEWHERE = "the value is not used, because the stage's `secrets` names another source"

# No validation: building pydantic's validator takes as long as checking ten configs.
ANY_STAGE = Stage.model_construct(
    environment="production",
    registry="registry.example.com",
    domain="example.com",
    auth="none",
    route=GatewayRoute.model_construct(name="gateway"),
    gpu=Gpu.model_construct(products={name: ["any"] for name in ACCELERATORS}),
)
"""The stage to check a config with when there is no stack file."""


class Planned(NamedTuple):
    """The plans and problems of a stack's servers, by the servers' names."""

    paths: dict[str, Path]
    """The path of each server's config, or of its folder."""
    plans: dict[str, Plan]
    """The plan of each server with a valid config."""
    stack_problems: list[Problem]
    """The problems of the stack, and those that several servers cause together."""
    server_problems: dict[str, Sequence[Problem]]
    """The problems of each server."""

    @property
    def problems(self) -> list[Problem]:
        """Returns all problems without duplicates."""
        servers = (problem for found in self.server_problems.values() for problem in found)
        return list(dict.fromkeys((*self.stack_problems, *servers)))


def _servers(stack: Stack, paths: Sequence[Path] = ()) -> dict[str, Path]:
    """Returns the paths of the servers to plan, by name: `paths`, or all of the stage.

    A server that the stage does not list has its folder's name, and the stage's settings.
    """
    staged = {name: stack.folder / server.path for name, server in stack.stage.servers.items()}
    if not paths:
        return staged
    chosen: dict[str, Path] = {}
    for path in paths:
        names = [name for name, at in staged.items() if config_path(at) == config_path(path)]
        if names:
            chosen |= {name: staged[name] for name in names}
            continue
        name = config_path(path).parent.name
        other = staged.get(name) or chosen.get(name)
        if other is not None and config_path(other) != config_path(path):
            message = f"the server at {other} already has the name `{name}`"
            fix = "rename the folder"
            raise ProblemError([Problem(None, (), message, fix, location=Location(str(path)))])
        chosen[name] = path
    return chosen


def plan_stack(stack: Stack, paths: Sequence[Path] = (), platform: Collection[str] = ()) -> Planned:
    """Returns the plans of the servers at `paths`, or of all servers of the stack.

    `platform` has the names of the values that the program gives at deploy time.
    """
    chosen = _servers(stack, paths)
    plans: dict[str, Plan] = {}
    problems: dict[str, Sequence[Problem]] = {}
    for name, path in chosen.items():
        try:
            plans[name], problems[name] = plan_server(stack, name, path, platform)
        except ProblemError as error:
            problems[name] = error.problems
    together = [*stack.problems, *_same_names(stack, chosen)]
    if not paths:
        together += _unread_secrets(stack, plans)
    return Planned(chosen, plans, together, problems)


def plan_server(
    stack: Stack, name: str, path: Path, platform: Collection[str] = ()
) -> tuple[Plan, Sequence[Problem]]:
    """Returns the plan of one server, and its problems.

    `platform` has the names of the values that the program gives at deploy time. Raises
    `ProblemError` if the config is missing or invalid.
    """
    listed = stack.source.has(("servers", name))
    if listed and not os.path.isfile(config_path(path)):
        at: FieldPath = ("servers", name, "path")
        written = stack.stage.servers[name].path
        message = f"there is no {CONFIG_FILE} at {written}"
        fix = f"correct the path, relative to {stack.folder}, or remove the server"
        raise ProblemError([stack.source.locate(Problem("stage", at, message, fix))])
    patch = stack.source.sub("servers", name, "config") if listed else None
    folder = load_config_folder(path, patch)
    stage = stack.stage.for_server(name)
    plan = build_plan(Given(folder, stage, name, stack.secret_names, platform))
    sources = {"config": folder.source, "stage": stack.source}
    problems = [
        sources[problem.file or "stage"].locate(problem)
        for problem in (*folder.problems, *plan.problems)
        # Without a stack file, the user cannot change fields of the stage.
        if problem.file == "config" or stack.stage is not ANY_STAGE
    ]
    return plan, problems


def unread_secrets(plan: Plan, given: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yields the name of each secret in `given` that the server does not read, and a message."""
    for name in sorted(set(given) - plan.secrets.given):
        elsewhere = _is_from_elsewhere(plan, name)
        yield (
            name,
            FROM_ELSEWHERE if elsewhere else "the server does not read a secret with this name",
        )


def _unread_secrets(stack: Stack, plans: Mapping[str, Plan]) -> Iterator[Problem]:
    """Yields a warning for each secret of the stack that no server reads.

    If a server has no plan, its secrets are unknown, and there are no warnings.
    """
    if not stack.stage.servers or stack.stage.servers.keys() - plans.keys():
        return
    if isinstance(stack.secret_names, UnknownSecrets):
        return
    read = frozenset[str]().union(*(plan.secrets.given for plan in plans.values()))
    for name in stack.secret_names:
        if name in read:
            continue
        message, fix = "no server of the stack reads this secret", _ADD_SECRET
        if any(_is_from_elsewhere(plan, name) for plan in plans.values()):
            message, fix = FROM_ELSEWHERE, ""
        fix += f"run: {remove_command(name)}"
        location = stack.secrets.key_location((name,))
        yield Problem(None, (SECRETS, name), message, fix, "warning", location)


def _is_from_elsewhere(plan: Plan, name: str) -> bool:
    """Returns true if the server mounts the secret from a source other than the stack."""
    return name in (*plan.secrets.names, *plan.secrets.undeclared)


def _same_names(stack: Stack, names: Iterable[str]) -> Iterator[Problem]:
    """Yields an error for each server whose objects would have the names of another server's.

    This happens if a server has the name that `kubernetes_name` makes for another server.
    """
    taken: dict[str, str] = {}
    for name in {**stack.stage.servers, **dict.fromkeys(names)}:
        object_name = kubernetes_name(name)
        first = taken.setdefault(object_name, name)
        if first != name:
            path: FieldPath = ("servers", name)
            message = f"objects of this server and of `{first}` have the same name, `{object_name}`"
            fix, location = "rename one of the servers", stack.source.key_location(path)
            yield Problem("stage", path, message, fix, location=location)


def without_stage(path: Path) -> Stack:
    """Returns the stack to check a config with when no stack file is given."""
    return Stack(ANY_STAGE, Source({}, Location(str(path))), path, UNKNOWN)


def plan_arguments(
    name: str,
    stage: Mapping[str, Any],
    server: Mapping[str, Any],
    secrets: KnownSecrets,
    platform: Collection[str],
    lock_file: str | None,
) -> tuple[Plan, Sequence[Problem]]:
    """Returns the plan of a server whose stage comes from a program, and its problems.

    `server` is the entry of the server in `servers` of a stack file. The problems of the arguments
    have paths that begin with `stage` or `overrides`, and no lines. Raises `ProblemError` if the
    arguments or the config cannot be used.
    """
    data: dict[str, Any] = {**stage, "servers": {name: server}}
    source = without_file(data, ARGUMENTS)
    try:
        stack = stack_of_arguments(source, secrets, lock_file)
        plan, problems = plan_server(stack, name, Path(server["path"]), platform)
    except ProblemError as error:
        raise ProblemError([_of_arguments(problem, name) for problem in error.problems]) from None
    return plan, [_of_arguments(problem, name) for problem in problems]


ARGUMENTS = Location("args")
"""The location of the arguments of a component."""


def _of_arguments(problem: Problem, name: str) -> Problem:
    """Returns a problem with the path of the argument in place of the field of a stack file."""
    if problem.location.path != ARGUMENTS.path:
        return problem
    if problem.path == ("servers", name, "path"):
        return problem._replace(path=("config_path",))
    if problem.path[:2] == ("servers", name):
        return problem._replace(path=("overrides", *problem.path[2:]))
    return problem._replace(path=("stage", *problem.path))
