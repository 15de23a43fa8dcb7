"""The component: one config and one stage become resources."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as kubernetes

from trussform import manifests, project
from trussform.deploy import diagnosis, downtime
from trussform.deploy.field_manager import with_field_manager
from trussform.deploy.image import image, registry_provider, resolved
from trussform.deploy.secrets import api_keys, login, secret
from trussform.manifests import Manifest
from trussform.plan import Plan
from trussform.problem import Location, Problem, ProblemError
from trussform.source import is_mapping


class Gateway(TypedDict):
    """The cluster's Gateway."""

    name: pulumi.Input[str]
    """The Gateway's name."""
    namespace: NotRequired[pulumi.Input[str]]
    """The Gateway's namespace. Default: the server's own."""


class Placement(TypedDict, total=False):
    """What a platform stack hands over; each goes before the stage's word."""

    namespace: pulumi.Input[str]
    """The namespace of every object; it must exist."""
    domain: pulumi.Input[str]
    """The server's host is `{server}.{domain}`."""
    gateway: Gateway
    """The Gateway of the route."""
    registry: pulumi.Input[str]
    """Where a built image is pushed: `registry.example.com/models`."""
    pull_secret: pulumi.Input[str]
    """An existing Secret with the registry's login."""


class DockerServerArgs(TypedDict):
    """Arguments of `DockerServer`. `config` and `stage` are plain: they decide what exists."""

    config: str
    """Path of the `config.yaml` or of its folder, relative to the program's folder."""
    stage: Mapping[str, Any]
    """The environment: what `trussform:stage` of a stack file holds."""
    secrets: NotRequired[Mapping[str, pulumi.Input[str]]]
    """Values by name, for a stage whose secrets are Pulumi's."""
    placement: NotRequired[Placement]
    """What comes from other stacks."""


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
        pulumi.log.info(f"an update: {plan.rollout.why}", self)

        placement = args.get("placement") or {}
        secrets = args.get("secrets") or {}
        fetcher = plan.weights.fetcher
        look_up = registry_provider(name, plan, secrets, self)
        registry = placement.get("registry", _registry(plan))
        values = manifests.values(
            plan,
            pulumi.Output.concat,
            image=image(name, plan, registry, secrets, look_up, self),
            fetcher=resolved(fetcher, plan, look_up, self) if fetcher else None,
            secret=secret(plan, secrets, placement, self),
            login=login(plan, secrets, placement, self),
            api_keys=api_keys(plan, secrets, placement, self),
            placement=placement,
        )
        _register(name, plan, manifests.manifests(plan, values), self)

        origin = manifests.origin(plan, values)
        self.predict_url = pulumi.Output.concat(origin, plan.routes.predict_path)
        self.sync_url = pulumi.Output.concat(origin, plan.routes.sync_path)
        self.image = pulumi.Output.from_input(values.image)
        self.namespace = pulumi.Output.from_input(values.namespace)
        self.service = pulumi.Output.from_input(plan.name)
        self.environment = pulumi.Output.from_input(plan.environment)
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


def _planned(name: str, args: DockerServerArgs) -> tuple[Plan, list[Problem]]:
    if mistakes := list(_misfits(args)):
        raise pulumi.RunError(f"DockerServer {name}:\n" + "\n".join(mistakes))
    secrets = args.get("secrets") or {}
    try:
        stage, source = project.stage_from_dict(dict(args["stage"]))
        names = None if isinstance(secrets, pulumi.Output) else secrets.keys()
        stack = project.Stack(stage, source, Path(), names)
        plan, problems = project.plan_server(
            stack, name, Path(args["config"]), (args.get("placement") or {}).keys()
        )
    except ProblemError as error:
        raise pulumi.RunError(f"DockerServer {name}:\n{error}") from None
    if blocking := project.blocking(problems):
        raise pulumi.RunError(f"DockerServer {name}:\n{ProblemError(blocking)}")
    unread = sorted(set(names or ()) - plan.given_secrets)
    return plan, [*problems, *(_unread(plan, secret) for secret in unread)]


def _unread(plan: Plan, secret: str) -> Problem:
    message = "the server reads no secret of this name"
    fix = "add it to `secrets` of its config, or leave it out of the arguments"
    if project.elsewhere(plan, secret):
        message, fix = project.FROM_ELSEWHERE, "leave it out of the arguments"
    return Problem(None, (secret,), message, fix, "warning", Location("secrets"))


def _misfits(args: Any) -> Iterator[str]:
    """What keeps arguments from being `DockerServerArgs`; they are only promised to be."""
    if not is_mapping(args):
        yield "args: expected a dict; write {'config': …, 'stage': …}"
        return
    kinds = {"config": str, "stage": Mapping}
    for name, kind in kinds.items():
        if not isinstance(args.get(name), kind):
            yield f"args.{name}: missing or of another type; see DockerServerArgs"
    secrets: Any = args.get("secrets") or {}
    placement: Any = args.get("placement") or {}
    for name, value in (("secrets", secrets), ("placement", placement)):
        if not isinstance(value, Mapping | pulumi.Output):
            yield f"args.{name}: expected a dict; give values by name"
    gateway: Any = {"name": ""}
    if is_mapping(placement):
        gateway = placement.get("gateway", gateway)
    if not is_mapping(gateway) or "name" not in gateway:
        yield "args.placement.gateway: expected a dict with the Gateway's name; see Gateway"
    parts: list[tuple[str, Any, Any]] = [
        ("args", args, DockerServerArgs),
        ("args.placement", placement, Placement),
        ("args.placement.gateway", gateway, Gateway),
    ]
    for where, given, known in parts:
        for key in given.keys() - known.__annotations__.keys() if is_mapping(given) else ():
            yield f"{where}.{key}: unknown; use {', '.join(known.__annotations__)}"


def _registry(plan: Plan) -> str | None:
    return plan.image.build.registry if plan.image.build else None


def _timeouts(plan: Plan) -> pulumi.CustomTimeouts:
    timeout = f"{plan.rollout.timeout}s"
    return pulumi.CustomTimeouts(create=timeout, update=timeout, delete=timeout)


def _register(
    name: str, plan: Plan, made: Iterable[Manifest], server: pulumi.ComponentResource
) -> None:
    """Each object after the one before it, so that no route is there without its guard."""
    hooks = pulumi.ResourceHookBinding(
        before_update=[downtime.hook(name, server)] if plan.rollout.away else [],
        on_error=[diagnosis.hook(name)],
    )
    before: list[pulumi.Resource] = []
    for manifest in made:
        opts = pulumi.ResourceOptions(
            parent=server,
            depends_on=before,
            custom_timeouts=_timeouts(plan),
            hooks=hooks if manifest["kind"] == "Deployment" else None,
        )
        before = [_resource(name, plan, manifest, opts)]


_RESOURCES: dict[str, Any] = {
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
    body: dict[str, Any] = {
        "metadata": with_field_manager(manifest["metadata"]),
        "spec": manifest["spec"],
    }
    if kind in _RESOURCES:
        return _RESOURCES[kind](child, **body, opts=opts)
    return kubernetes.apiextensions.CustomResource(
        child, api_version=manifest["apiVersion"], kind=kind, **body, opts=opts
    )
