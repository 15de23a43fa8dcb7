"""The startup, readiness and liveness probes."""

from typing import NamedTuple

from trussform.plan.given import Given
from trussform.problem import Problem

PERIOD = 10
"""`periodSeconds` of the readiness and the liveness probe, as on Baseten."""
STARTUP_PERIOD = 1
"""`periodSeconds` of the startup probe: the pod is ready soon after the first good answer."""
LATE = 2 * PERIOD
"""The delay in seconds with which the kubelet may notice the end of a start."""
TIMEOUT = 5
"""`timeoutSeconds`: more than the default of 1, because a busy GPU server answers slowly."""


class Probe(NamedTuple):
    """One probe of the container."""

    path: str | None
    """The path of the GET request; None: a gRPC health check."""
    failures: int
    """`failureThreshold`: checks that fail in a row before the probe acts."""
    period: int = PERIOD
    """`periodSeconds`."""
    delay: int = 0
    """`initialDelaySeconds`."""


class ProbesPlan(NamedTuple):
    """The port and the three probes."""

    port: int
    startup: Probe
    readiness: Probe
    liveness: Probe
    startup_budget: int
    """The time in seconds that a start may take."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        ready, alive = (probe.path or "grpc.health.v1" for probe in (self.readiness, self.liveness))
        return (
            f"startup: {ready} within {self.startup_budget} s; "
            f"readiness: no traffic after {ready} fails for {self.readiness.failures * PERIOD} s; "
            f"liveness: restart after {alive} fails for {self.liveness.failures * PERIOD} s"
        )


def plan_probes(given: Given) -> ProbesPlan:
    """Decides the probes from `docker_server` and `runtime.health_checks`."""
    config, stage = given.config, given.stage
    server, checks = config.docker_server, config.runtime.health_checks
    ready, alive = server.readiness_endpoint, server.liveness_endpoint
    if config.runtime.transport.kind == "grpc":
        ready = alive = None
    budget = stage.deadlines.startup or checks.startup_threshold_seconds
    # The first check may run as soon as the container starts, so one more check fills the budget.
    return ProbesPlan(
        port=server.server_port,
        startup=Probe(ready, _failures(budget, STARTUP_PERIOD) + 1, STARTUP_PERIOD),
        readiness=Probe(ready, _failures(checks.stop_traffic_threshold_seconds)),
        liveness=Probe(
            alive,
            _failures(checks.restart_threshold_seconds),
            delay=checks.restart_check_delay_seconds,
        ),
        startup_budget=budget,
        why="`runtime.health_checks` of the config, or Baseten's defaults; "
        + ("`deadlines.startup` of the stage limits the start; " if stage.deadlines.startup else "")
        + "readiness and liveness checks begin after the start",
    )


def _failures(seconds: int, period: int = PERIOD) -> int:
    """Returns the number of checks that span the time, rounded up."""
    return max(1, -(-seconds // period))
