"""The end of a pod: the time that its requests get before and after SIGTERM."""

from collections.abc import Iterable
from typing import NamedTuple

from trussform.plan.command import CommandPlan
from trussform.plan.given import Given
from trussform.plan.routes import RoutesPlan
from trussform.plan.servers import Server
from trussform.problem import Problem

DELAY = 5
"""Seconds between leaving the endpoints and SIGTERM: routers hear of it later than the pod."""
DRAIN = 600
"""Seconds that a stopping pod gives its requests if the stage sets none."""
LONG_DRAIN = 3600
"""The same for WebSockets and gRPC streams, which live an hour through an update on Baseten."""
HUNG_GRACE = 30
"""Seconds that a container has to end after its startup or liveness probe has failed. A server that
does not answer has no request to finish, and waiting for one would only delay the restart."""
_CLOSING = ("envoy-gateway", "nginx")
"""Controllers that close idle gRPC connections within a minute. Traefik keeps them open."""
_IDLE = "idle connections count until the proxy closes them (Envoy after 5 s, Traefik after 90 s)"


class DrainPlan(NamedTuple):
    delay: int
    """Seconds before SIGTERM in which no new request should arrive."""
    seconds: int
    """Seconds that a stopping pod gives its requests."""
    waits: int
    """Seconds of these that SIGTERM waits while clients are connected; 0: it does not wait."""
    grace: int
    """terminationGracePeriodSeconds."""
    hung_grace: int
    """terminationGracePeriodSeconds of the startup and the liveness probe."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        if not self.waits:
            return f"SIGTERM after {self.delay} s, then at most {self.seconds} s"
        return (
            f"SIGTERM after {self.delay} s and when no client has been connected for a second, at "
            f"most {self.waits} s later"
        )


def plan_drain(given: Given, command: CommandPlan, routes: RoutesPlan) -> DrainPlan:
    seconds = _seconds(given)
    waits, why = _waits(given, command, routes, seconds)
    grace = DELAY + seconds + 5
    return DrainPlan(DELAY, seconds, waits, grace, min(HUNG_GRACE, grace), why)


def _seconds(given: Given) -> int:
    stage = given.stage
    if stage.deadlines.drain is not None:
        return stage.deadlines.drain
    if given.config.runtime.transport.kind == "http":
        return stage.request_timeout or DRAIN
    return max(LONG_DRAIN, stage.request_timeout or 0)


def _waits(given: Given, command: CommandPlan, routes: RoutesPlan, seconds: int) -> tuple[int, str]:
    """Returns the seconds that SIGTERM waits for connections, and the reason."""
    if not command.argv:
        return 0, "the image may have no shell to look for connections with"
    servers, transport = command.servers, given.config.runtime.transport.kind
    if servers and transport == "http" and all(server.drains for server in servers):
        return 0, f"{_names(servers)} finishes its requests at SIGTERM"
    if transport == "grpc" and routes.controller not in _CLOSING:
        return 0, "clients may keep idle gRPC connections open, so the server must finish its calls"
    if transport != "http":
        return seconds, f"most servers close connections of {transport} at SIGTERM"
    if cutting := [server for server in servers if server.drains is False]:
        return seconds, f"{_names(cutting)} cuts requests at SIGTERM; {_IDLE}"
    return seconds, f"the server may cut requests at SIGTERM; {_IDLE}"


def _names(servers: Iterable[Server]) -> str:
    return " and ".join(server.name for server in servers)
