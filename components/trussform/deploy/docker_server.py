"""The component: one config and one stage become resources."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as kubernetes

from trussform import manifests, planning
from trussform.deploy import diagnosis, downtime
from trussform.deploy.field_manager import with_field_manager
from trussform.deploy.image import image, registry_provider, resolved
from trussform.deploy.secrets import Values, api_keys, login, secret
from trussform.manifests import Manifest
from trussform.plan import UNKNOWN, Plan
from trussform.problem import Location, Problem, ProblemError, as_errors
from trussform.source import is_mapping
from trussform.stack_file import Stack


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
    """Arguments of `DockerServer`. `config` and `stage` are plain: they decide which resources
    exist."""

    config: str
    """Path of the `config.yaml` or of its folder, relative to the program's folder."""
    stage: Mapping[str, Any]
    """The environment: the content of `trussform:stage` in a stack file."""
    secrets: NotRequired[Mapping[str, pulumi.Input[str]]]
    """Values by name, for a stage whose secrets are Pulumi's."""
    platform: NotRequired[Platform]
    """Values from other stacks."""


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
    values: Values = manifests.deploy_values(plan, pulumi.Output.concat, args.get("platform"))
    look_up = registry_provider(name, plan, secrets, server)
    fetcher = plan.fetcher.image
    return values._replace(
        image=image(name, plan, values.registry, secrets, look_up, server),
        fetcher=resolved(fetcher, plan, look_up, server) if fetcher else "",
        secret=secret(plan, secrets, values, server),
        login=login(plan, secrets, values, server),
        api_keys=api_keys(plan, secrets, values, server),
    )


def _planned(name: str, args: DockerServerArgs) -> tuple[Plan, Sequence[Problem]]:
    if isinstance(args, PlannedArgs):
        return args.plan, args.warnings
    if mistakes := list(_misfits(args)):
        raise pulumi.RunError(f"DockerServer {name}:\n" + "\n".join(mistakes))
    secrets = args.get("secrets") or {}
    names = UNKNOWN if isinstance(secrets, pulumi.Output) else secrets.keys()
    try:
        stage, source = planning.stage_from_dict(dict(args["stage"]))
        plan, problems = planning.plan_server(
            Stack(stage, source, Path(), names),
            name,
            Path(args["config"]),
            (args.get("platform") or {}).keys(),
        )
    except ProblemError as error:
        raise pulumi.RunError(f"DockerServer {name}:\n{error}") from None
    if blocking := as_errors(problems):
        raise pulumi.RunError(f"DockerServer {name}:\n{ProblemError(blocking)}")
    return plan, [*problems, *_unread(plan, secrets)]


def _unread(plan: Plan, secrets: Mapping[str, pulumi.Input[str]]) -> Iterator[Problem]:
    if isinstance(secrets, pulumi.Output):
        return
    for name, message in planning.unread_secrets(plan, secrets):
        fix = "leave it out of the arguments"
        if message != planning.FROM_ELSEWHERE:
            fix = f"add it to `secrets` of its config, or {fix}"
        yield Problem(None, (name,), message, fix, "warning", Location("secrets"))


def _misfits(args: Any) -> Iterator[str]:
    """Yields the mistakes of arguments that are not `DockerServerArgs`."""
    if not is_mapping(args):
        yield "args: expected a dict; write {'config': …, 'stage': …}"
        return
    kinds = {"config": str, "stage": Mapping}
    for name, kind in kinds.items():
        if not isinstance(args.get(name), kind):
            yield f"args.{name}: missing or of another type; see DockerServerArgs"
    secrets: Any = args.get("secrets") or {}
    platform: Any = args.get("platform") or {}
    for name, value in (("secrets", secrets), ("platform", platform)):
        if not isinstance(value, Mapping | pulumi.Output):
            yield f"args.{name}: expected a dict; give values by name"
    gateway: Any = {"name": ""}
    if is_mapping(platform):
        gateway = platform.get("gateway", gateway)
    if not is_mapping(gateway) or "name" not in gateway:
        yield "args.platform.gateway: expected a dict with the Gateway's name; see Gateway"
    yield from _unknown("args", args, DockerServerArgs)
    yield from _unknown("args.platform", platform, Platform)
    yield from _unknown("args.platform.gateway", gateway, Gateway)


def _unknown(where: str, given: Any, known: Any) -> Iterator[str]:
    names = known.__annotations__
    for name in given.keys() - names.keys() if is_mapping(given) else ():
        if name in _RENAMED:
            yield f"{where}.{name}: the argument is now `{_RENAMED[name]}`; use that name"
        else:
            yield f"{where}.{name}: unknown; use {', '.join(names)}"


_RENAMED = {"placement": "platform"}
"""New names of arguments by former ones."""


def _timeouts(plan: Plan) -> pulumi.CustomTimeouts:
    timeout = f"{plan.deadlines.timeout}s"
    return pulumi.CustomTimeouts(create=timeout, update=timeout, delete=timeout)


# A route needs its policies: it would be open, or have the proxy's own limits. On destroy, it goes
# before the Service, so that the proxy closes its connections and the pods need not wait for them.
_ROUTE_NEEDS = ("SecurityPolicy", "Middleware", "BackendTrafficPolicy", "Service")
_AFTER = {
    "HTTPRoute": _ROUTE_NEEDS,
    "GRPCRoute": _ROUTE_NEEDS,
    "Ingress": _ROUTE_NEEDS,
    # Pulumi waits for a Service until it has a pod.
    "Service": ("Deployment",),
    # The pods of a new version run the new program.
    "Deployment": ("ConfigMap",),
}
"""The kinds of objects that a kind needs first; all others are registered side by side."""


def _register(
    name: str, plan: Plan, made: Iterable[Manifest], server: pulumi.ComponentResource
) -> None:
    hooks = pulumi.ResourceHookBinding(
        before_update=[downtime.hook(name, server)] if plan.rollout.downtime else [],
        on_error=[diagnosis.hook(name)],
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


def _ignored(plan: Plan) -> list[str]:
    """Returns the field that an autoscaler owns; none if the stage sets the number of replicas.

    The provider then applies the field as it is in the cluster. A field that is only left out would
    be set to 1, if Pulumi was its one owner.
    """
    return ["spec.replicas"] if plan.rollout.replicas is None else []


_RESOURCES: dict[str, Any] = {
    "ConfigMap": kubernetes.core.v1.ConfigMap,
    "PersistentVolumeClaim": kubernetes.core.v1.PersistentVolumeClaim,
    "Deployment": kubernetes.apps.v1.Deployment,
    "Service": kubernetes.core.v1.Service,
    "Ingress": kubernetes.networking.v1.Ingress,
    "PodDisruptionBudget": kubernetes.policy.v1.PodDisruptionBudget,
    "NetworkPolicy": kubernetes.networking.v1.NetworkPolicy,
}


def _resource(
    name: str, plan: Plan, manifest: Manifest, opts: pulumi.ResourceOptions
) -> pulumi.Resource:
    kind = manifest["kind"]
    # One object of a kind is `llama-deployment`; several are `llama-ingress-predict`, ….
    suffix = manifest["metadata"]["name"].removeprefix(plan.name)
    child = f"{name}-{kind.lower()}{suffix}"
    body = {part: manifest[part] for part in manifest.keys() - {"apiVersion", "kind", "metadata"}}
    body["metadata"] = with_field_manager(manifest["metadata"])
    if kind in _RESOURCES:
        return _RESOURCES[kind](child, **body, opts=opts)
    return kubernetes.apiextensions.CustomResource(
        child, api_version=manifest["apiVersion"], kind=kind, **body, opts=opts
    )
