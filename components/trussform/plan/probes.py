"""Three probes from two endpoints: when traffic stops and when the container restarts."""

from typing import NamedTuple

from trussform.plan.given import Given
from trussform.problem import Problem

PERIOD = 10
"""Seconds between two checks, as on Baseten."""
LATE = 2 * PERIOD
"""Seconds by which the kubelet may see late how a start has ended."""
TIMEOUT = 5
"""Seconds that an answer may take; a busy GPU server is slow to answer, and not dead."""


class Probe(NamedTuple):
    path: str | None
    """None: gRPC's own health service is asked."""
    failures: int
    """Checks that fail in a row before the probe acts."""
    delay: int = 0


class ProbesPlan(NamedTuple):
    port: int
    startup: Probe
    readiness: Probe
    liveness: Probe
    startup_budget: int
    """Seconds that a start may take."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        ready, alive = (probe.path or "grpc.health.v1" for probe in (self.readiness, self.liveness))
        return (
            f"start within {self.startup_budget} s on {ready}; "
            f"without {ready}, traffic stops after "
            f"{self.readiness.failures * PERIOD} s; "
            f"without {alive}, restart after {self.liveness.failures * PERIOD} s"
        )


def plan_probes(given: Given) -> ProbesPlan:
    config, stage = given.config, given.stage
    server, checks = config.docker_server, config.runtime.health_checks
    ready, alive = server.readiness_endpoint, server.liveness_endpoint
    if config.runtime.transport.kind == "grpc":
        ready = alive = None
    budget = stage.deadlines.startup or checks.startup_threshold_seconds
    # The first check may come as soon as the container runs, so one more fills the budget.
    return ProbesPlan(
        port=server.server_port,
        startup=Probe(ready, _failures(budget) + 1),
        readiness=Probe(ready, _failures(checks.stop_traffic_threshold_seconds)),
        liveness=Probe(
            alive,
            _failures(checks.restart_threshold_seconds),
            checks.restart_check_delay_seconds,
        ),
        startup_budget=budget,
        why="readiness and liveness wait until the start has succeeded; "
        + ("the stage's deadline" if stage.deadlines.startup else "runtime.health_checks"),
    )


def _failures(seconds: int) -> int:
    return max(1, -(-seconds // PERIOD))
