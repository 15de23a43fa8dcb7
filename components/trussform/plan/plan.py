"""Every decision for one server in one stage."""

from collections.abc import Iterator
from typing import NamedTuple, cast

from trussform.plan.auth import AuthPlan, plan_auth
from trussform.plan.autoscaling import AutoscalingPlan, plan_autoscaling
from trussform.plan.availability import AvailabilityPlan, plan_availability
from trussform.plan.command import CommandPlan, plan_command
from trussform.plan.concurrency import ConcurrencyPlan, plan_concurrency
from trussform.plan.deadlines import DeadlinesPlan, plan_deadlines
from trussform.plan.decision import Decision
from trussform.plan.digest import DigestPlan
from trussform.plan.drain import DrainPlan, plan_drain
from trussform.plan.driver import DriverPlan, plan_driver
from trussform.plan.egress import EgressPlan, plan_egress
from trussform.plan.fetcher import FetcherPlan, plan_fetcher
from trussform.plan.files import FilesPlan, plan_files
from trussform.plan.given import Given
from trussform.plan.gpu import GpuPlan, plan_gpu
from trussform.plan.image import ImagePlan, plan_base_digest, plan_image
from trussform.plan.ingress import IngressPlan, plan_ingress
from trussform.plan.labels import LabelsPlan, plan_labels
from trussform.plan.load import find_load
from trussform.plan.names import NamesPlan, plan_names
from trussform.plan.namespace import NamespacePlan, plan_namespace
from trussform.plan.platform import PlatformPlan, plan_platform
from trussform.plan.pod import PodPlan, plan_pod
from trussform.plan.portability import PortabilityPlan, plan_portability
from trussform.plan.probes import ProbesPlan, plan_probes
from trussform.plan.pull import PullPlan, plan_pull
from trussform.plan.resources import ResourcesPlan, plan_resources
from trussform.plan.rollout import RolloutPlan, plan_rollout
from trussform.plan.routes import RoutesPlan, plan_routes
from trussform.plan.secrets import SecretsPlan, plan_secrets
from trussform.plan.security import SecurityPlan, plan_security
from trussform.plan.variables import VariablesPlan, plan_variables
from trussform.plan.weights import WeightsPlan, plan_weights
from trussform.problem import Problem


class Plan(NamedTuple):
    """The decisions by name, in the order of `trussform explain`."""

    names: NamesPlan
    namespace: NamespacePlan
    labels: LabelsPlan
    platform: PlatformPlan
    image: ImagePlan
    digest: DigestPlan
    pull: PullPlan
    command: CommandPlan
    variables: VariablesPlan
    concurrency: ConcurrencyPlan
    resources: ResourcesPlan
    gpu: GpuPlan
    driver: DriverPlan
    pod: PodPlan
    probes: ProbesPlan
    weights: WeightsPlan
    fetcher: FetcherPlan
    rollout: RolloutPlan
    autoscaling: AutoscalingPlan
    availability: AvailabilityPlan
    drain: DrainPlan
    deadlines: DeadlinesPlan
    secrets: SecretsPlan
    security: SecurityPlan
    files: FilesPlan
    routes: RoutesPlan
    auth: AuthPlan
    ingress: IngressPlan
    egress: EgressPlan
    portability: PortabilityPlan

    @property
    def name(self) -> str:
        """The server's name in Kubernetes and in its host."""
        return self.names.server

    @property
    def decisions(self) -> Iterator[tuple[str, Decision]]:
        """Each decision with its name, in the order of the fields."""
        return zip(self._fields, cast(tuple[Decision, ...], self), strict=True)

    @property
    def problems(self) -> list[Problem]:
        """The problems of all decisions."""
        return [problem for _, decision in self.decisions for problem in decision.problems]


def build_plan(given: Given) -> Plan:
    """Returns every decision about one server."""
    names = plan_names(given)
    image = plan_image(given)
    digest = plan_base_digest(given, image)
    command = plan_command(given)
    probes = plan_probes(given)
    weights = plan_weights(given, names)
    routes = plan_routes(given, names)
    auth = plan_auth(given)
    load = find_load(given, command, routes)
    drain = plan_drain(given, command, routes, load)
    rollout = plan_rollout(given, probes, weights, drain)
    files = plan_files(given, image)
    gpu = plan_gpu(given)
    driver = plan_driver(given)
    concurrency = plan_concurrency(given)
    autoscaling = plan_autoscaling(given, load, concurrency, gpu, rollout, routes, auth)
    return Plan(
        names=names,
        namespace=plan_namespace(given),
        labels=plan_labels(given, names),
        platform=plan_platform(given),
        image=image,
        digest=digest,
        pull=plan_pull(given, image),
        command=command,
        variables=plan_variables(given, names, command, weights, files, driver),
        concurrency=concurrency,
        resources=plan_resources(given),
        gpu=gpu,
        driver=driver,
        pod=plan_pod(given, gpu),
        probes=probes,
        weights=weights,
        fetcher=plan_fetcher(given, weights),
        rollout=rollout,
        autoscaling=autoscaling,
        availability=plan_availability(rollout, autoscaling),
        drain=drain,
        deadlines=plan_deadlines(given, probes, weights, drain, rollout, autoscaling),
        secrets=plan_secrets(given, names, weights, auth),
        security=plan_security(given, weights),
        files=files,
        routes=routes,
        auth=auth,
        ingress=plan_ingress(given, autoscaling),
        egress=plan_egress(given, weights),
        portability=plan_portability(given, digest, command),
    )
