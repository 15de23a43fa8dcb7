"""A stack file and its servers, read and planned: where every command begins."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trussform.config import read_truss
from trussform.config.truss import CONFIG_FILE
from trussform.plan import Plan, plan
from trussform.problem import Finding, Keys, Place, Problem, Refused
from trussform.schema import Model, fit
from trussform.source import Source, read
from trussform.stage import GatewayRoute, Stage

STAGE = "trussform:stage"
SECRETS = "trussform:secrets"

ANY_STAGE = Stage(
    environment="production",
    registry="registry.example.com",
    domain="example.com",
    auth="none",
    route=GatewayRoute(name="gateway"),
)
"""Stands in for the stage where a config is checked alone."""


class Lock(Model):
    """The lock file of a stage with `tags: locked`."""

    digests: dict[str, str]


@dataclass(frozen=True)
class Stack:
    """One environment: its stage, and where the stage's words stand."""

    stage: Stage
    source: Source
    folder: Path
    """What the paths of the servers are relative to: the project's folder."""
    secret_names: Collection[str] | None
    """The secrets that the stack has values for; None where that is unknown."""


def lock_file(stack_file: Path) -> Path:
    """`stacks/Pulumi.production.yaml` -> `stacks/production.lock.yaml`."""
    name = stack_file.name.removeprefix("Pulumi.").removesuffix(stack_file.suffix)
    return stack_file.with_name(f"{name}.lock.yaml")


def read_stack(file: Path) -> Stack:
    """Read a stack file; raises `Refused` with every problem of its stage."""
    source = read(file)
    secrets = source.below("config", SECRETS).data
    return stack_from(
        source.below("config", STAGE),
        file,
        secrets.keys() if isinstance(secrets, dict) else (),
    )


def stack_from(source: Source, file: Path, secret_names: Collection[str] | None) -> Stack:
    """A stack from its `trussform:stage` block, wherever the block comes from."""
    if source.data is None:
        message = f"the stack file has no `{STAGE}` block"
        help = f"add `config: {{{STAGE}: {{environment: …}}}}`; `trussform schema stage` has it all"
        raise Refused([Problem(source.whole, "", message, help)])
    stage = fit(Stage, source)
    lock = lock_file(file)
    if stage.tags == "locked" and lock.is_file():
        locked = fit(Lock, read(lock)).digests
        stage = stage.model_copy(update={"digests": {**locked, **stage.digests}})
    return Stack(stage, source, _project_folder(file), secret_names)


def _project_folder(stack_file: Path) -> Path:
    for folder in stack_file.parents:
        if (folder / "Pulumi.yaml").is_file():
            return folder
    return stack_file.parent


def servers(stack: Stack, paths: Sequence[Path] = ()) -> dict[str, Path]:
    """The servers to work on by name: those at `paths`, or all of the stage."""
    staged = {name: stack.folder / server.path for name, server in stack.stage.servers.items()}
    if not paths:
        return staged
    names = {_resolved(path): name for name, path in staged.items()}
    chosen: dict[str, Path] = {}
    for path in paths:
        name = names.get(_resolved(path)) or _resolved(path).parent.name
        if name in chosen and _resolved(chosen[name]) != _resolved(path):
            message = f"a second server of the name `{name}`, after {chosen[name]}"
            raise Refused([Problem(Place(str(path)), "", message, "name the folders apart")])
        chosen[name] = path
    return chosen


def _resolved(path: Path) -> Path:
    return (path if path.suffix in (".yaml", ".yml") else path / CONFIG_FILE).resolve()


def plan_server(
    stack: Stack, name: str, path: Path, placed: Collection[str] = ()
) -> tuple[Plan, list[Problem]]:
    """Plan one server; raises `Refused` where its config cannot be used at all."""
    staged = ("servers", name) in stack.source.names
    if staged and not _resolved(path).is_file():
        at: Keys = ("servers", name, "path")
        message = f"there is no {CONFIG_FILE} at {path}"
        help = "correct the path, or remove the server from this stage"
        raise Refused([stack.source.problem(Finding("stage", at, message, help))])
    patch = stack.source.below("servers", name, "config") if staged else None
    truss = read_truss(path, patch)
    decided = plan(truss, stack.stage, name, stack.secret_names, placed)
    sources = {"config": truss.source, "stage": stack.source}
    return decided, [sources[finding.about].problem(finding) for finding in decided.findings]


def plan_servers(
    stack: Stack, paths: Sequence[Path] = ()
) -> tuple[dict[str, Plan], list[Problem]]:
    """Plan every server, with the problems of all of them."""
    plans: dict[str, Plan] = {}
    problems: list[Problem] = []
    for name, path in servers(stack, paths).items():
        try:
            plans[name], found = plan_server(stack, name, path)
        except Refused as refused:
            found = refused.problems
        problems += found
    return plans, list(dict.fromkeys(problems))


def blocking(problems: Iterable[Problem]) -> list[Problem]:
    """What stops an up: the errors, and what only an up cannot do without."""
    return [replace(problem, level="error") for problem in problems if problem.level != "warning"]


def without_stage(path: Path) -> Stack:
    """The stack to check a config with when no stack file is given."""
    return Stack(ANY_STAGE, Source({}, Place(str(path))), path, None)


def stage_from_dict(data: dict[str, Any]) -> tuple[Stage, Source]:
    """A stage that a program gives as a dict; its problems carry fields and no lines."""
    source = Source(data, Place("stage"), names=_names(data))
    return fit(Stage, source), source


def _names(data: Any, at: Keys = ()) -> dict[Keys, Place]:
    if not isinstance(data, dict):
        return {}
    names: dict[Keys, Place] = {}
    for key, value in data.items():
        keys = (*at, str(key))
        names[keys] = Place("stage")
        names |= _names(value, keys)
    return names
