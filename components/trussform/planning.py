"""Plans every server of a stack, with the problems of all of them."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from trussform.config import load_config_folder
from trussform.config.folder import CONFIG_FILE
from trussform.config.instances import ACCELERATORS
from trussform.plan import UNKNOWN, Given, Plan, build_plan
from trussform.plan.known_secrets import UnknownSecrets, remove_command
from trussform.plan.names import kubernetes_name
from trussform.problem import FieldPath, Location, Problem, ProblemError
from trussform.schema import fit
from trussform.source import Source, is_mapping
from trussform.stack_file import SECRETS, Stack, config_path
from trussform.stage import GatewayRoute, Gpu, Stage

_FIX_UNREAD = "add it to `secrets` of the config that needs it, or "
FROM_ELSEWHERE = "the value here is not used, because the stage's `secrets` names another source"

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


class Planned(NamedTuple):
    """The servers of a stack by name, each with its plan and its problems."""

    paths: dict[str, Path]
    """The config of each server, or its folder."""
    plans: dict[str, Plan]
    """The plan of each server whose config can be read."""
    stack_problems: list[Problem]
    """The problems of the stack, and of its servers together."""
    server_problems: dict[str, Sequence[Problem]]
    """The problems of each server."""

    @property
    def problems(self) -> list[Problem]:
        """Every problem once."""
        servers = (problem for found in self.server_problems.values() for problem in found)
        return list(dict.fromkeys((*self.stack_problems, *servers)))


def _servers(stack: Stack, paths: Sequence[Path] = ()) -> dict[str, Path]:
    """Returns the servers to plan by name: those at `paths`, or all of the stage.

    A path that the stage does not list gets its folder's name, and the stage's own settings.
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
            message = f"a second server has the name `{name}`, after {other}"
            fix = "rename the folder"
            raise ProblemError([Problem(None, (), message, fix, location=Location(str(path)))])
        chosen[name] = path
    return chosen


def plan_stack(stack: Stack, paths: Sequence[Path] = (), platform: Collection[str] = ()) -> Planned:
    """Plans the servers at `paths`, or all of the stack.

    `platform`: the names of the values that the program gives at deploy time.
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
    """Plans one server; raises `ProblemError` if its config cannot be used at all.

    `platform`: the names of the values that another stack gives at deploy time.
    """
    staged = stack.source.has(("servers", name))
    if staged and not os.path.isfile(config_path(path)):
        at: FieldPath = ("servers", name, "path")
        written = stack.stage.servers[name].path
        message = f"there is no {CONFIG_FILE} at {written}"
        fix = f"correct the path as seen from {stack.folder}, or remove the server here"
        raise ProblemError([stack.source.locate(Problem("stage", at, message, fix))])
    patch = stack.source.sub("servers", name, "config") if staged else None
    folder = load_config_folder(path, patch)
    stage = stack.stage.for_server(name)
    plan = build_plan(Given(folder, stage, name, stack.secret_names, platform))
    sources = {"config": folder.source, "stage": stack.source}
    problems = [
        sources[problem.file or "stage"].locate(problem)
        for problem in (*folder.problems, *plan.problems)
        # Without a stage file, nobody wrote the field that the problem is about.
        if problem.file == "config" or stack.stage is not ANY_STAGE
    ]
    return plan, problems


def unread_secrets(plan: Plan, given: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yields each secret of `given` that the server does not read, with a message."""
    for name in sorted(set(given) - plan.secrets.given):
        elsewhere = _is_from_elsewhere(plan, name)
        yield name, FROM_ELSEWHERE if elsewhere else "the server reads no secret of this name"


def _unread_secrets(stack: Stack, plans: Mapping[str, Plan]) -> Iterator[Problem]:
    """Yields a warning for each secret of the stack that no server reads.

    Yields nothing if a server has no plan, because the secrets that it reads are unknown.
    """
    if not stack.stage.servers or stack.stage.servers.keys() - plans.keys():
        return
    if isinstance(stack.secret_names, UnknownSecrets):
        return
    read = frozenset[str]().union(*(plan.secrets.given for plan in plans.values()))
    for name in stack.secret_names:
        if name in read:
            continue
        message, fix = "no server of the stack reads this secret", _FIX_UNREAD
        if any(_is_from_elsewhere(plan, name) for plan in plans.values()):
            message, fix = FROM_ELSEWHERE, ""
        fix += f"run: {remove_command(name)}"
        location = stack.secrets.key_location((name,))
        yield Problem(None, (SECRETS, name), message, fix, "warning", location)


def _is_from_elsewhere(plan: Plan, name: str) -> bool:
    """Returns true if the server mounts the secret from a source other than the stack."""
    return name in (*plan.secrets.names, *plan.secrets.undeclared)


def _same_names(stack: Stack, names: Iterable[str]) -> Iterator[Problem]:
    """Yields the servers whose objects would have the same names as another's.

    A server may be called by the name with a hash that Kubernetes gets for another one.
    """
    taken: dict[str, str] = {}
    for name in {**stack.stage.servers, **dict.fromkeys(names)}:
        made = kubernetes_name(name)
        first = taken.setdefault(made, name)
        if first != name:
            path: FieldPath = ("servers", name)
            message = f"the objects of this server and of `{first}` would both be named `{made}`"
            fix, location = "rename one of the two", stack.source.key_location(path)
            yield Problem("stage", path, message, fix, location=location)


def without_stage(path: Path) -> Stack:
    """Returns the stack to check a config with when no stack file is given."""
    return Stack(ANY_STAGE, Source({}, Location(str(path))), path, UNKNOWN)


def stage_from_dict(data: dict[str, Any]) -> tuple[Stage, Source]:
    """Returns a stage that a program gives as a dict; its problems have fields and no lines."""
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
