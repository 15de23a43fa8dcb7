"""The component: one config and one stage become resources."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NotRequired, TypedDict, cast

import pulumi

from trussform import manifests, planning
from trussform.deploy import diagnosis, downtime, scaling
from trussform.deploy.image import image, registry_provider, resolved
from trussform.deploy.kubernetes_object import KubernetesObject
from trussform.deploy.secrets import Values, api_keys, login, secret
from trussform.deploy.stage_args import ServerArgs, StageArgs
from trussform.manifests import Manifest
from trussform.plan import UNKNOWN, Plan
from trussform.problem import FieldPath, Location, Problem, ProblemError, as_errors
from trussform.source import is_mapping


class Gateway(TypedDict):
    """The cluster's Gateway."""

    name: pulumi.Input[str]
    """The Gateway's name."""
    namespace: NotRequired[pulumi.Input[str]]
    """The Gateway's namespace. Default: the server's own."""


class Platform(TypedDict, total=False):
    """The values that a platform stack gives; each takes precedence over the stage's."""

    namespace: pulumi.Input[str]
    """The namespace of every object; it must exist."""
    domain: pulumi.Input[str]
    """The server's host is `{server}.{domain}`."""
    gateway: Gateway
    """The Gateway of the route."""
    registry: pulumi.Input[str]
    """The registry that a built image is pushed to: `registry.example.com/models`."""
    pull_secret: pulumi.Input[str]
    """An existing Secret with the registry's login."""


class DockerServerArgs(TypedDict):
    """Arguments of `DockerServer`.

    `config_path`, `stage`, `overrides` and `lock_file` must be plain values, because they decide
    which resources exist.
    """

    config_path: str
    """The path of the `config.yaml` or of its folder, relative to the program's folder."""
    stage: StageArgs
    """The settings of the environment."""
    overrides: NotRequired[ServerArgs]
    """The settings of this server alone. They take precedence over the stage's. Default: none."""
    secrets: NotRequired[Mapping[str, pulumi.Input[str]]]
    """The values of the secrets by name, if the stage's secrets are Pulumi's. Default: none."""
    platform: NotRequired[Platform]
    """Values of a platform stack. They take precedence over the stage's. Default: none."""
    lock_file: NotRequired[str]
    """The path of a lock file with digests of images, relative to the program's folder. Default:
    none."""


class PlannedArgs(dict[str, Any]):
    """The arguments of a server that `read_stack` has planned; a plain dict is planned anew."""

    def __init__(self, args: DockerServerArgs, plan: Plan, warnings: Sequence[Problem]) -> None:
        super().__init__(args)
        self.plan = plan
        self.warnings = warnings


class DockerServer(pulumi.ComponentResource):
    """A custom server from a Truss `config.yaml`: image, Secret, Deployment, Service, routes.

    Raises `pulumi.RunError` with every problem of config and stage, before anything is
    registered. Every resource is a child, so that providers and options given here reach it.
    """

    predict_url: pulumi.Output[str]
    """The URL of the predict endpoint, or just of the host for gRPC; inside the cluster where
    the stage has no route."""
    sync_url: pulumi.Output[str]
    """The URL that any path of the server can follow."""
    image: pulumi.Output[str]
    """The image that runs, with its digest unless the stage is offline."""
    namespace: pulumi.Output[str]
    """The namespace of every object."""
    service: pulumi.Output[str]
    """The name of the Service; its port is 80."""
    environment: pulumi.Output[str]
    """The `{env}` of the URLs."""

    def __init__(
        self, name: str, args: DockerServerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        plan, warnings = _planned(name, args)
        super().__init__("trussform:index:DockerServer", name, None, opts)
        for warning in warnings:
            pulumi.log.warn(warning.text, self)
        pulumi.log.info(f"rollout: {plan.rollout.why}", self)

        values = _values(name, plan, args, self)
        _register(name, plan, manifests.render_objects(plan, values), self)

        origin = manifests.origin(plan, values)
        self.predict_url = pulumi.Output.concat(origin, plan.routes.predict_path)
        self.sync_url = pulumi.Output.concat(origin, plan.routes.sync_path)
        self.image = pulumi.Output.from_input(values.image)
        self.namespace = pulumi.Output.from_input(values.namespace)
        self.service = pulumi.Output.from_input(plan.name)
        self.environment = pulumi.Output.from_input(plan.labels.environment)
        self.register_outputs(
            {
                "predict_url": self.predict_url,
                "sync_url": self.sync_url,
                "image": self.image,
                "namespace": self.namespace,
                "service": self.service,
                "environment": self.environment,
            }
        )


def _values(
    name: str, plan: Plan, args: DockerServerArgs, server: pulumi.ComponentResource
) -> Values:
    """Returns the values of the manifests; registers the image and the Secrets."""
    secrets = args.get("secrets") or {}
    values: Values = manifests.deploy_values(plan, _concat, args.get("platform"))
    look_up = registry_provider(name, plan, secrets, server)
    fetcher = plan.fetcher.image
    return values._replace(
        image=image(name, plan, values.registry, secrets, look_up, server),
        fetcher=resolved(fetcher, plan, look_up, server) if fetcher else "",
        secret=secret(plan, secrets, values, server),
        login=login(plan, secrets, values, server),
        api_keys=api_keys(plan, secrets, values, server),
    )


def _concat(*parts: pulumi.Input[str]) -> pulumi.Input[str]:
    """Returns text if all parts are text. An output costs more, and few parts are outputs."""
    if any(isinstance(part, pulumi.Output) for part in parts):
        return pulumi.Output.concat(*parts)
    return "".join(map(str, parts))


def _planned(name: str, args: DockerServerArgs) -> tuple[Plan, Sequence[Problem]]:
    """Returns the plan and its warnings; raises `pulumi.RunError` with every problem."""
    if isinstance(args, PlannedArgs):
        return args.plan, args.warnings
    try:
        planned = plan_arguments(name, args)
    except ProblemError as error:
        raise pulumi.RunError(f"DockerServer {name}:\n{error}") from None
    return planned.plan, planned.warnings


def plan_arguments(name: str, args: DockerServerArgs) -> PlannedArgs:
    """Returns the arguments with their plan; raises `ProblemError` with every problem."""
    if mistakes := list(_mistakes(args)):
        raise ProblemError(mistakes)
    secrets = args.get("secrets") or {}
    known = UNKNOWN if isinstance(secrets, pulumi.Output) else secrets.keys()
    server = {**args.get("overrides", {}), "path": args["config_path"]}
    platform = (args.get("platform") or {}).keys()
    plan, problems = planning.plan_arguments(
        name, args["stage"], server, known, platform, args.get("lock_file")
    )
    if blocking := as_errors(problems):
        raise ProblemError(blocking)
    return PlannedArgs(args, plan, [*problems, *_unread(plan, secrets)])


def _unread(plan: Plan, secrets: Mapping[str, pulumi.Input[str]]) -> Iterator[Problem]:
    if isinstance(secrets, pulumi.Output):
        return
    for name, message in planning.unread_secrets(plan, secrets):
        fix = "leave it out of the arguments"
        if message != planning.FROM_ELSEWHERE:
            fix = f"add it to `secrets` of its config, or {fix}"
        yield Problem(None, (name,), message, fix, "warning", Location("secrets"))


_PLAIN: dict[str, type] = {
    "config_path": str,
    "stage": Mapping,
    "overrides": Mapping,
    "lock_file": str,
}
_REQUIRED = ("config_path", "stage")
_RENAMED = {"placement": "platform", "config": "config_path"}
"""New names of arguments by former ones."""


def _mistakes(args: Any) -> Iterator[Problem]:
    """Yields the problems of arguments that are not `DockerServerArgs`."""
    if not is_mapping(args):
        yield _mistake((), "expected a dict", "write {'config_path': …, 'stage': …}")
        return
    for name, kind in _PLAIN.items():
        value = args.get(name)
        if value is None and name in _REQUIRED:
            yield _mistake((name,), "the argument is missing", f"add `{name}`")
        elif value is not None and not isinstance(value, pulumi.Output | kind):
            fix = "see the types of DockerServerArgs"
            yield _mistake((name,), "the argument has another type", fix)
        yield from _outputs((name,), value)
    overrides: Any = args.get("overrides") or {}
    if is_mapping(overrides) and "path" in overrides:
        message = "unknown field"
        yield _mistake(("overrides", "path"), message, "give the path as `config_path`")
    secrets: Any = args.get("secrets") or {}
    platform: Any = args.get("platform") or {}
    if not isinstance(secrets, Mapping | pulumi.Output):
        yield _mistake(("secrets",), "expected a dict", "give values by name")
    if not is_mapping(platform):
        yield _mistake(
            ("platform",), "expected a dict", "give values by name; each may be an output"
        )
    gateway: Any = {"name": ""}
    if is_mapping(platform):
        gateway = platform.get("gateway", gateway)
    if not is_mapping(gateway) or "name" not in gateway:
        message = "expected a dict with the name of the Gateway"
        yield _mistake(("platform", "gateway"), message, "write {'name': …}")
    yield from _unknown((), args, DockerServerArgs)
    yield from _unknown(("platform",), platform, Platform)
    yield from _unknown(("platform", "gateway"), gateway, Gateway)


def _outputs(path: FieldPath, value: Any) -> Iterator[Problem]:
    """Yields a problem for each output in a plain argument."""
    if isinstance(value, pulumi.Output):
        message = "the value must be plain, and it is an output"
        yield _mistake(path, message, "write the value itself, or give it by `platform`")
    elif is_mapping(value):
        for name, part in value.items():
            yield from _outputs((*path, str(name)), part)
    elif isinstance(value, list):
        for index, part in enumerate(cast(list[Any], value)):
            yield from _outputs((*path, index), part)


def _unknown(path: FieldPath, given: Any, known: Any) -> Iterator[Problem]:
    names = known.__annotations__
    for name in given.keys() - names.keys() if is_mapping(given) else ():
        if name in _RENAMED:
            message = f"the argument is now `{_RENAMED[name]}`"
            yield _mistake((*path, name), message, "use that name")
        else:
            yield _mistake((*path, name), "unknown argument", f"use {', '.join(names)}")


def _mistake(path: FieldPath, message: str, fix: str) -> Problem:
    return Problem(None, path, message, fix, location=planning.ARGUMENTS)


def _timeouts(plan: Plan) -> pulumi.CustomTimeouts:
    timeout = f"{plan.deadlines.timeout}s"
    return pulumi.CustomTimeouts(create=timeout, update=timeout, delete=timeout)


# A route needs its policies: it would be open, or have the proxy's own limits. It needs the pods.
# On destroy, it goes first, so that the proxy closes its connections and no pod waits for them.
_ROUTE_NEEDS = (
    *("SecurityPolicy", "Middleware", "BackendTrafficPolicy", "Service", "Deployment"),
    *("InterceptorRoute", "ReferenceGrant"),
)
_AFTER = {
    "HTTPRoute": _ROUTE_NEEDS,
    "GRPCRoute": _ROUTE_NEEDS,
    "Ingress": _ROUTE_NEEDS,
    # The pods of a new version run the new program.
    "Deployment": ("ConfigMap",),
    # The first pod has been ready then, and a request finds its way to it.
    "ScaledObject": ("Deployment", "HTTPRoute", "GRPCRoute"),
}
"""The kinds of objects that a kind needs first; all others are registered side by side."""


def _register(
    name: str, plan: Plan, made: Iterable[Manifest], server: pulumi.ComponentResource
) -> None:
    hooks = pulumi.ResourceHookBinding(
        before_update=[
            *([downtime.hook(name, server)] if plan.rollout.downtime else []),
            *scaling.before_update(name, plan),
        ],
        after_update=scaling.after_update(name, plan),
        on_error=[pulumi.ErrorHook(f"{name}-diagnosis", _failed)],
    )
    registered: dict[str, list[pulumi.Resource]] = {}
    for manifest in made:
        kind = manifest["kind"]
        first = [one for needed in _AFTER.get(kind, ()) for one in registered.get(needed, ())]
        opts = pulumi.ResourceOptions(
            parent=server,
            depends_on=first,
            custom_timeouts=_timeouts(plan),
            hooks=hooks if kind == "Deployment" else None,
            ignore_changes=_ignored(plan) if kind == "Deployment" else None,
        )
        registered.setdefault(kind, []).append(_resource(name, plan, manifest, opts))


def _failed(args: pulumi.ErrorHookArgs) -> bool:
    """Says why a Deployment has failed, and leaves it to KEDA; nothing is tried again."""
    diagnosis.show(args)
    if scaling.is_scaled(args.old_inputs) or scaling.is_scaled(args.new_inputs):
        scaling.release(args)
    return False


def _ignored(plan: Plan) -> list[str]:
    """Returns the field that an autoscaler owns; none if the stage sets the number of replicas.

    The provider then applies the field as it is in the cluster. A field that is only left out would
    be set to 1, if Pulumi was its one owner.
    """
    return ["spec.replicas"] if plan.rollout.replicas is None else []


def _resource(
    name: str, plan: Plan, manifest: Manifest, opts: pulumi.ResourceOptions
) -> pulumi.Resource:
    kind = manifest["kind"]
    # One object of a kind is `llama-deployment`; several are `llama-ingress-predict`, ….
    # The name of a ReferenceGrant has the namespace, which may be an output.
    one = kind == "ReferenceGrant"
    suffix = "" if one else manifest["metadata"]["name"].removeprefix(plan.name)
    child = f"{name}-{kind.lower()}{suffix}"
    return KubernetesObject(child, manifest, opts)
