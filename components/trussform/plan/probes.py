"""Three probes from two endpoints: when traffic stops and when the container restarts."""

from dataclasses import dataclass

from trussform.config import Config
from trussform.stage import Stage

PERIOD = 10
"""Seconds between two checks, as on Baseten."""
TIMEOUT = 5
"""Seconds that an answer may take; a busy GPU server is slow to answer, and not dead."""


@dataclass(frozen=True)
class Probe:
    path: str
    failures: int
    """Checks that fail in a row before the probe acts."""
    delay: int = 0


@dataclass(frozen=True)
class Probes:
    port: int
    startup: Probe
    readiness: Probe
    liveness: Probe
    startup_budget: int
    """Seconds that a start may take."""
    why: str

    def __str__(self) -> str:
        return (
            f"start within {self.startup_budget} s on {self.startup.path}; "
            f"without {self.readiness.path}, traffic stops after "
            f"{self.readiness.failures * PERIOD} s; "
            f"without {self.liveness.path}, restart after {self.liveness.failures * PERIOD} s"
        )


def probes(config: Config, stage: Stage) -> Probes:
    server, checks = config.docker_server, config.runtime.health_checks
    budget = stage.deadlines.startup or checks.startup_threshold_seconds
    return Probes(
        port=server.server_port,
        startup=Probe(server.readiness_endpoint, _failures(budget)),
        readiness=Probe(
            server.readiness_endpoint, _failures(checks.stop_traffic_threshold_seconds)
        ),
        liveness=Probe(
            server.liveness_endpoint,
            _failures(checks.restart_threshold_seconds),
            checks.restart_check_delay_seconds,
        ),
        startup_budget=budget,
        why="readiness and liveness wait until the start has succeeded; "
        + ("the stage's deadline" if stage.deadlines.startup else "runtime.health_checks"),
    )


def _failures(seconds: int) -> int:
    return max(1, -(-seconds // PERIOD))
