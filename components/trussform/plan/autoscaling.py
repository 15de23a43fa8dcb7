"""The number of replicas that follows the load: KEDA's settings, and the metric of the load."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from trussform.plan.auth import AuthPlan
from trussform.plan.concurrency import ConcurrencyPlan
from trussform.plan.given import Given
from trussform.plan.gpu import GpuPlan
from trussform.plan.load import Load, Metric
from trussform.plan.rollout import RolloutPlan
from trussform.plan.routes import RoutesPlan
from trussform.problem import FieldPath, Problem

INTERCEPTOR, INTERCEPTOR_PORT = "keda-add-ons-http-interceptor-proxy", 8080
"""The Service of KEDA's HTTP add-on that requests pass."""
SCALER, SCALER_PORT = "keda-add-ons-http-external-scaler", 9090
"""The Service of KEDA's HTTP add-on that KEDA asks for the requests in flight."""
WAKE = 60
"""Seconds that KEDA, the scheduler and the endpoints may take to start a pod and to find it."""


class AutoscalingPlan(NamedTuple):
    """The bounds, the target and the metric of the autoscaler."""

    metric: Metric
    """`none`: Trussform creates no autoscaler."""
    why: str
    minimum: int = 0
    """The smallest number of replicas."""
    maximum: int = 0
    """The largest number of replicas."""
    target: float = 0
    """The requests in flight of each replica from which replicas are added."""
    window: int = 0
    """Seconds of load that decide the number."""
    delay: int = 0
    """Seconds of lower load before replicas stop."""
    rate: int = 0
    """The largest share of replicas in percent that stops at once."""
    wait: int = 0
    """Seconds that a request waits at most for a replica that starts."""
    prometheus: str = ""
    """The URL of Prometheus; empty if its metrics are not read."""
    gauges: tuple[str, ...] = ()
    """The server's own metrics of its requests; empty unless `metric` is `server`."""
    add_on: str = ""
    """The namespace of KEDA's HTTP add-on."""
    triggers: tuple[dict[str, Any], ...] = ()
    """Further triggers of the ScaledObject."""
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        if self.metric == "none":
            return "none"
        bounds = f"{self.minimum} to {self.maximum} replicas"
        return bounds if self.metric == "triggers" else f"{bounds}, {self.target:g} requests each"

    @property
    def intercepted(self) -> bool:
        """True if requests pass KEDA's HTTP add-on."""
        return self.metric == "interceptor"


def plan_autoscaling(
    given: Given,
    load: Load,
    concurrency: ConcurrencyPlan,
    gpu: GpuPlan,
    rollout: RolloutPlan,
    routes: RoutesPlan,
    auth: AuthPlan,
) -> AutoscalingPlan:
    """Decides the bounds and the target of the autoscaler."""
    settings = given.stage.autoscaling
    if settings is None:
        return AutoscalingPlan("none", load.why)
    requests = settings.concurrency_target or concurrency.requests
    target = requests * settings.target_utilization_percentage / 100
    if load.intercepted:
        target = max(1, round(target))  # The add-on counts whole requests.
    plan = AutoscalingPlan(
        metric=load.metric,
        why=load.why,
        minimum=settings.min_replica,
        maximum=settings.max_replica,
        target=target,
        window=settings.autoscaling_window,
        delay=settings.scale_down_delay,
        rate=settings.max_scale_down_rate,
        wait=given.stage.deadlines.provisioning + rollout.until_ready + WAKE,
        prometheus=settings.prometheus or "" if load.metric in ("gateway", "server") else "",
        gauges=load.gauges,
        add_on=settings.add_on_namespace,
        triggers=tuple(settings.triggers),
    )
    share = f"{settings.target_utilization_percentage} % of {requests}"
    return plan._replace(
        why="".join((load.why, *_consequences(plan, share, gpu))),
        problems=tuple(_problems(given, plan, routes, auth)),
    )


def _consequences(plan: AutoscalingPlan, share: str, gpu: GpuPlan) -> Iterator[str]:
    """Yields the facts that a user needs before the first bill and the first cold start."""
    if plan.metric != "triggers":
        yield f"; a replica is added from {plan.target:g} requests each on ({share})"
    if gpu.per_pod:
        yield f"; {plan.maximum * gpu.per_pod} GPUs at most, and pods without a GPU stay Pending"
    if plan.minimum == 0:
        yield (
            f"; at zero a request waits {plan.wait} s at most (node + weights + pull + start), and "
            "gets an error after that; every request through the route starts a pod, also of a "
            "monitoring system"
        )


def _problems(
    given: Given, plan: AutoscalingPlan, routes: RoutesPlan, auth: AuthPlan
) -> Iterator[Problem]:
    """Yields the problems of the bounds, of the metric, and of requests at zero."""
    stage = given.stage
    if plan.minimum > plan.maximum:
        message = f"`max_replica` is {plan.maximum}, and `min_replica` is {plan.minimum}"
        fix = "raise `max_replica`, or lower `min_replica`"
        own = ("autoscaling", "min_replica") in stage.own
        field = "min_replica" if own else "max_replica"
        yield Problem("stage", _path(given, field), message, fix)
    if plan.metric == "triggers":
        yield from _unreachable(given, plan)
    if plan.intercepted and plan.maximum > 1 and routes.protocol == "grpc":
        message = "KEDA's HTTP add-on sends the calls of all gRPC clients to one pod"
        fix = "set `min_replica: 1`, and `prometheus` with the metrics of Envoy Gateway"
        yield Problem("stage", _path(given, "max_replica"), message, fix, "warning")
    timeout = routes.timeout
    if plan.intercepted and plan.minimum == 0 and timeout and timeout < plan.wait:
        message = (
            f"`request_timeout` is {timeout} s, and a request at zero may wait {plan.wait} s for "
            "a pod"
        )
        fix = f"raise it to {plan.wait} or more, lower `deadlines`, or set `min_replica: 1`"
        yield Problem("stage", ("request_timeout",), message, fix, "warning")
    if plan.intercepted and auth.kind != "none":
        message = (
            "the gateway checks `auth`, and every pod that can connect to KEDA's HTTP add-on "
            "reaches the server past it"
        )
        fix = f"restrict ingress to the interceptor in the namespace `{plan.add_on}`"
        yield Problem("stage", stage.path("auth"), message, fix, "warning")


def _unreachable(given: Given, plan: AutoscalingPlan) -> Iterator[Problem]:
    """Yields a problem if nothing that the stage names can count the requests."""
    route = given.stage.route
    field = _path(given, "min_replica")
    if plan.minimum == 0:
        message = "`min_replica` 0 needs KEDA's HTTP add-on in front of the pods"
        fix = "set `min_replica: 1`, or use a Gateway other than GKE's"
        if route.kind == "ingress":
            message += ", and an Ingress cannot lead to another namespace"
        elif route.kind == "none":
            message += ", and the stage has no route to it"
        else:
            message += ", and GKE's Gateway has not been tried with it"
        yield Problem("stage", field, message, fix)
    elif not plan.triggers:
        message = "nothing that the stage names counts the requests of this server"
        fix = "add `triggers`, a `prometheus` with the metrics of vLLM, or a Gateway"
        yield Problem("stage", given.stage.path("autoscaling"), message, fix)


def _path(given: Given, field: str) -> FieldPath:
    """Returns the path of a field of the autoscaling, in the server's block or the stage's."""
    return given.stage.path("autoscaling", field)
