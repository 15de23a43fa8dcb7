"""The source that says how many requests an autoscaled server has."""

from typing import Literal, NamedTuple

from trussform.plan.command import CommandPlan
from trussform.plan.given import Given
from trussform.plan.routes import RoutesPlan

Metric = Literal["none", "interceptor", "gateway", "server", "triggers"]
"""KEDA's HTTP add-on, the metrics of Envoy Gateway or of the server in Prometheus, or the triggers
of the stage alone; `none`: the number of replicas is fixed, or an autoscaler of the user's owns
it."""


class Load(NamedTuple):
    """The source of the load, and the reason for it."""

    metric: Metric
    why: str
    gauges: tuple[str, ...] = ()
    """The server's own metrics of its requests."""

    @property
    def intercepted(self) -> bool:
        """True if requests pass KEDA's HTTP add-on."""
        return self.metric == "interceptor"


def find_load(given: Given, command: CommandPlan, routes: RoutesPlan) -> Load:
    """Returns the first source that the stage says is there."""
    settings = given.stage.autoscaling
    if settings is None:
        return Load("none", "the stage has no `autoscaling`")
    through = routes.kind == "gateway" and routes.controller != "gke"
    if settings.min_replica == 0:
        if through:
            why = "KEDA's HTTP add-on counts the requests, and holds them at zero"
            return Load("interceptor", why)
        return Load("triggers", _ALONE)
    if settings.prometheus and routes.traffic_policy:
        return Load("gateway", "Prometheus has the requests in flight from Envoy Gateway")
    gauges = next((server.gauges for server in command.servers if server.gauges), ())
    if settings.prometheus and gauges:
        why = f"Prometheus has the server's own metrics: {', '.join(gauges)}"
        return Load("server", why, gauges)
    if not through:
        return Load("triggers", _ALONE)
    reason = "the stage names no `prometheus`"
    if settings.prometheus:
        reason = "neither Envoy Gateway nor a known server reports its requests"
    return Load("interceptor", f"KEDA's HTTP add-on counts the requests, because {reason}")


_ALONE = "the ScaledObject has the `triggers` of the stage alone"
