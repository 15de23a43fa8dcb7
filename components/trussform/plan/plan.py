"""Every decision for one server in one stage, each with its reason."""

from collections.abc import Collection
from typing import Any, NamedTuple

from trussform.config import ConfigFolder
from trussform.plan import pod
from trussform.plan.auth import Access, access
from trussform.plan.command import Command, command
from trussform.plan.egress import Egress, egress
from trussform.plan.given import given_secrets
from trussform.plan.gpu import Gpu, gpu
from trussform.plan.image import Image, image
from trussform.plan.ingress import Peers, peers
from trussform.plan.names import kubernetes_name
from trussform.plan.portability import portability
from trussform.plan.probes import Probes, probes
from trussform.plan.pull import Pull, pull
from trussform.plan.rollout import Rollout, rollout
from trussform.plan.routes import Routes, routes
from trussform.plan.secrets import Secrets, secrets
from trussform.plan.weights import Weights, weights
from trussform.problem import Problem
from trussform.stage import Stage


class Plan(NamedTuple):
    name: str
    """The server's name in Kubernetes and in its host."""
    environment: str
    namespace: str
    create_namespace: bool
    service_account: str | None
    model_name: str | None
    model_metadata: dict[str, Any]
    image: Image
    command: Command
    environment_variables: dict[str, str]
    concurrency: int
    """predict_concurrency: a hint for autoscalers, which nothing here enforces."""
    size: pod.Size
    gpu: Gpu
    probes: Probes
    weights: Weights
    secrets: Secrets
    given_secrets: frozenset[str]
    """The names of the secrets whose values it reads from the stack or the program."""
    pull: Pull
    user: pod.User
    files: pod.Files
    rollout: Rollout
    routes: Routes
    access: Access
    peers: Peers
    egress: Egress
    config: dict[str, Any]
    """The effective config, for `/app/config.yaml`."""
    problems: tuple[Problem, ...]


def plan(
    truss: ConfigFolder,
    stage: Stage,
    name: str,
    secret_names: Collection[str] | None = None,
    placed: Collection[str] = (),
) -> Plan:
    """Decide everything about one server.

    `secret_names`: the secrets that the stage has values for; None where that is unknown.
    `placed`: what comes at deploy time from elsewhere: domain, gateway, registry, ….
    """
    config = truss.config
    image_plan, about_image = image(truss, stage, name, secret_names, placed)
    command_plan, about_command = command(truss)
    gpu_plan, about_gpu = gpu(config, stage)
    weights_plan, about_weights = weights(config, stage, name)
    egress_plan, about_egress = egress(config, stage, weights_plan)
    secrets_plan, about_secrets = secrets(config, stage, secret_names, weights_plan)
    pull_plan, about_pull = pull(config, stage, image_plan, secret_names, placed)
    routes_plan, about_routes = routes(config, stage, placed)
    access_plan, about_access = access(config, stage, name, secret_names)
    peers_plan, about_peers = peers(stage)
    size, about_size = pod.size(config)
    probes_plan = probes(config, stage)
    made = image_plan.build
    files = pod.files(config, builds=made is not None and not made.bare)
    variables, about_variables = pod.environment_variables(config, files, kubernetes_name(name))
    return Plan(
        name=kubernetes_name(name),
        environment=stage.environment,
        namespace=stage.namespace,
        create_namespace=stage.create_namespace and stage.namespace != "default",
        service_account=stage.service_account,
        model_name=config.model_name,
        model_metadata=config.model_metadata,
        image=image_plan,
        command=command_plan,
        environment_variables={
            **weights_plan.server_variables,
            **command_plan.variables,
            **variables,
        },
        concurrency=config.runtime.predict_concurrency,
        size=size,
        gpu=gpu_plan,
        probes=probes_plan,
        weights=weights_plan,
        secrets=secrets_plan,
        given_secrets=given_secrets(config, stage, name, weights_plan),
        pull=pull_plan,
        user=pod.user(config),
        files=files,
        rollout=rollout(config, stage, name, command_plan, probes_plan, weights_plan),
        routes=routes_plan,
        access=access_plan,
        peers=peers_plan,
        egress=egress_plan,
        config=_without_values(truss),
        problems=(
            *truss.problems,
            *about_image,
            *about_command,
            *about_gpu,
            *about_size,
            *about_variables,
            *about_weights,
            *about_secrets,
            *about_pull,
            *about_access,
            *about_routes,
            *about_peers,
            *about_egress,
            *portability(config, config.model_fields_set, image_plan, command_plan),
        ),
    )


def _without_values(truss: ConfigFolder) -> dict[str, Any]:
    """The config as data, its secrets null whatever stands there: pods and YAML show it."""
    data: dict[str, Any] = truss.source.data
    return {**data, "secrets": dict.fromkeys(truss.config.secrets)} if "secrets" in data else data
