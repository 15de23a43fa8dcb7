"""The stack of a program: the servers' arguments, the cluster and the namespace."""

import json
import signal
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import pulumi
import pulumi_kubernetes as kubernetes

from trussform import manifests, planning, stack_file
from trussform.deploy.docker_server import DockerServerArgs, PlannedArgs, Platform
from trussform.deploy.kubernetes_object import KubernetesObject
from trussform.deploy.stage_args import ServerArgs, StageArgs
from trussform.plan import Plan
from trussform.plan.namespace import creates_namespace
from trussform.problem import Location, Problem, ProblemError, as_errors
from trussform.source import Source, is_mapping, parts, without_file
from trussform.yaml_reader import read


class Stack(NamedTuple):
    servers: Mapping[str, DockerServerArgs]
    """The arguments of each `DockerServer` by name."""
    opts: pulumi.ResourceOptions
    """The options of each: the provider, where the stage renders to a folder."""


def read_stack() -> Stack:
    """Returns the stack that Pulumi runs, after a check of all of it.

    Raises `pulumi.RunError` with every problem of the stage and of all its servers.
    """
    # Pulumi interrupts the program when a resource has failed, and Python would show where it was.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    config = pulumi.Config("trussform")
    try:
        file = _stack_file()
        written = read(file) if file.is_file() else Source({}, Location(str(file)))
        stage = _stage(config, written)
        # Only the names are taken from here; the values stay secret, below.
        names = list(_object(config, "secrets", file) or {})
        secrets = written.sub("config", stack_file.SECRETS)
        stack = stack_file.stack_from(stage, file, names, secrets)
        planned = planning.plan_stack(stack, platform=("namespace",))
    except ProblemError as error:
        raise pulumi.RunError(f"nothing was changed:\n{error}") from None
    if blocking := as_errors(planned.problems):
        raise pulumi.RunError(f"nothing was changed:\n{ProblemError(blocking)}")
    for warning in (*planned.stack_problems, *_plain_secrets(names, secrets)):
        pulumi.log.warn(warning.text)

    provider = _provider(stack.stage.render_to)
    platform: Platform = {"namespace": _namespace(stack, provider)}
    values = config.get_secret_object("secrets")

    def args(name: str, plan: Plan) -> DockerServerArgs:
        settings: dict[str, Any] = {**stage.data, "digests": dict(stack.stage.digests)}
        overrides = settings.pop("servers")[name]
        given: DockerServerArgs = {
            "config_path": str(planned.paths[name]),
            "stage": cast(StageArgs, settings),
            "overrides": cast(ServerArgs, {k: v for k, v in overrides.items() if k != "path"}),
            "secrets": {
                secret: _value(values, secret) for secret in names if secret in plan.secrets.given
            },
            "platform": platform,
        }
        return cast(DockerServerArgs, PlannedArgs(given, plan, planned.server_problems[name]))

    return Stack(
        {name: args(name, plan) for name, plan in planned.plans.items()},
        pulumi.ResourceOptions(provider=provider),
    )


def _object(config: pulumi.Config, name: str, file: Path) -> dict[str, Any] | None:
    try:
        found = config.get_object(name)
    except pulumi.ConfigTypeError:
        found = ""
    if found is None or is_mapping(found):
        return found
    what = "this is not a mapping"
    fix = f"write `trussform:{name}:` and `name: value` lines below it"
    raise ProblemError(
        [Problem(None, (f"trussform:{name}",), what, fix, location=Location(str(file)))]
    )


def _stack_file() -> Path:
    return stack_file.stack_file(
        stack_file.project_file(Path()) or Path("Pulumi.yaml"), pulumi.get_stack()
    )


def _stage(config: pulumi.Config, file: Source) -> Source:
    """Returns the stage of a stack file, with the values that its environments add to it."""
    written = file.sub("config", stack_file.STAGE)
    here = Location(file.whole.path)
    if written.data is not None and not stack_file.has_environments(file):
        return written
    known = _object(config, "stage", Path(here.path))
    if pulumi.runtime.is_config_secret(stack_file.STAGE) and not _has_secure(written.data):
        message = "an environment or the project gives the stage a secret"
        fix = "move it to `trussform:secrets`, or write it without `fn::secret`"
        raise ProblemError([Problem("stage", (), message, fix, location=here)])
    if written.data is None:
        return without_file(known, here)
    data = _completed(written.data, known)
    names = {**without_file(data, here, written.at).names, **written.names}
    return written._replace(data=data, names=names)


def _completed(written: Any, known: Any) -> Any:
    """Returns a value of the stack file, with the fields that only Pulumi knows.

    Pulumi merges the file into its environments by the rules of a JSON Merge Patch.
    """
    if not (is_mapping(written) and is_mapping(known)) or "secure" in written:
        return written
    more = {key: value for key, value in known.items() if key not in written}
    return {key: _completed(value, known.get(key)) for key, value in written.items()} | more


def _has_secure(data: Any) -> bool:
    return any(path[-1:] == ("secure",) for path in parts(data))


def _plain_secrets(names: Iterable[str], written: Source) -> Iterator[Problem]:
    """Yields a warning for each secret of an environment or the project that is in plain text."""
    if pulumi.runtime.is_config_secret(stack_file.SECRETS):
        return
    for name in names:
        if not written.has((name,)):
            message = "the secret is in plain text"
            fix = "write it below `fn::secret` in the environment"
            location = Location(written.whole.path)
            yield Problem(None, (stack_file.SECRETS, name), message, fix, "warning", location)


def _provider(render_to: str | None) -> kubernetes.Provider | None:
    if render_to is None:
        return None
    return kubernetes.Provider("render", render_yaml_to_directory=render_to)


def _namespace(stack: stack_file.Stack, provider: kubernetes.Provider | None) -> pulumi.Input[str]:
    name = stack.stage.namespace
    if not creates_namespace(stack.stage):
        return name
    # It may have been there before, and others may have put something into it.
    opts = pulumi.ResourceOptions(provider=provider, retain_on_delete=provider is None)
    return KubernetesObject(name, manifests.namespace(name), opts).metadata["name"]


def _value(secrets: pulumi.Output[Any] | None, name: str) -> pulumi.Output[str]:
    assert secrets is not None
    # Pulumi keeps `123` and `true` given with --path as a number and a boolean.
    return secrets.apply(
        lambda all: all[name] if isinstance(all[name], str) else json.dumps(all[name])
    )
