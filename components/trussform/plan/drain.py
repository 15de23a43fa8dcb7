"""The shutdown of a pod: the time for its requests before and after SIGTERM."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from trussform.plan.command import CommandPlan
from trussform.plan.given import Given
from trussform.plan.load import Load
from trussform.plan.routes import RoutesPlan
from trussform.plan.servers import Server
from trussform.problem import Problem

DELAY = 5
"""Seconds between the pod's removal from the endpoints and SIGTERM: proxies learn of it later."""
MARGIN = 2 * DELAY
"""Seconds of the grace period that requests cannot use: `DELAY`, and the end of the server."""
DRAIN = 600
"""Seconds that a stopping pod gives its requests if the stage sets no limit."""
LONG_DRAIN = 3600
"""The same for WebSockets and gRPC streams; Baseten gives them an hour at an update."""
HUNG_GRACE = 30
"""Seconds that a container has to stop after its startup or liveness probe has failed. A server
that does not answer cannot finish requests, so a longer wait would only delay the restart."""
_CLOSING = ("envoy-gateway", "nginx")
"""Controllers that close idle gRPC connections within a minute. Traefik keeps them open."""
_WAITING = (
    "so SIGTERM waits until clients disconnect; proxies close idle connections (Envoy after 5 s, "
    "Traefik after 90 s)"
)
_TRANSPORTS = {"grpc": "gRPC", "websocket": "WebSocket"}


class DrainPlan(NamedTuple):
    """The times of a pod's shutdown, in seconds."""

    delay: int
    """The time before SIGTERM in which proxies stop to send requests."""
    seconds: int
    """The time that a stopping pod gives its requests."""
    waits: int
    """The part of that time for which SIGTERM waits while clients are connected; 0: no wait."""
    grace: int
    """`terminationGracePeriodSeconds` of the pod."""
    hung_grace: int
    """`terminationGracePeriodSeconds` of the startup and the liveness probe."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        if not self.waits:
            return f"SIGTERM after {self.delay} s; requests then have {self.seconds} s to finish"
        return (
            f"SIGTERM when all clients have disconnected, {self.delay} s to "
            f"{self.delay + self.waits} s after termination begins"
        )


def plan_drain(given: Given, command: CommandPlan, routes: RoutesPlan, load: Load) -> DrainPlan:
    """Decides the time of SIGTERM and the grace period."""
    seconds = _seconds(given)
    waits, why = _waits(given, command, routes, load, seconds)
    grace = seconds + MARGIN
    return DrainPlan(
        DELAY, seconds, waits, grace, min(HUNG_GRACE, grace), why, tuple(_two_limits(given))
    )


def _two_limits(given: Given) -> Iterator[Problem]:
    """Yields an error if the stage limits the shutdown twice."""
    stage = given.stage
    if stage.pod.termination_grace_period is not None and stage.deadlines.drain is not None:
        message = "the stage limits the shutdown twice, also by `deadlines.drain`"
        fix = "remove one of the two"
        yield Problem("stage", stage.path("pod", "termination_grace_period"), message, fix)


def _seconds(given: Given) -> int:
    """Returns the time in seconds that a stopping pod gives its requests."""
    stage = given.stage
    if stage.pod.termination_grace_period is not None:
        return stage.pod.termination_grace_period - MARGIN
    if stage.deadlines.drain is not None:
        return stage.deadlines.drain
    if given.config.runtime.transport.kind == "http":
        return stage.request_timeout or DRAIN
    return max(LONG_DRAIN, stage.request_timeout or 0)


def _waits(
    given: Given, command: CommandPlan, routes: RoutesPlan, load: Load, seconds: int
) -> tuple[int, str]:
    """Returns the seconds that SIGTERM waits for connections, and the reason."""
    if not command.argv:
        return 0, "the image may have no shell, which a preStop hook needs to wait for clients"
    servers, transport = command.servers, given.config.runtime.transport.kind
    if servers and transport == "http" and all(server.drains for server in servers):
        return 0, f"{_names(servers)} finishes running requests after SIGTERM"
    # One connection of KEDA's HTTP add-on has all calls, and so is never idle.
    stays = load.intercepted or routes.controller not in _CLOSING
    if transport == "grpc" and stays:
        return (
            0,
            "gRPC clients may stay connected when idle, so the server itself must finish its calls",
        )
    if transport != "http":
        return seconds, f"most servers close {_TRANSPORTS[transport]} connections at SIGTERM"
    if aborting := [server for server in servers if server.drains is False]:
        return seconds, f"{_names(aborting)} aborts running requests at SIGTERM, {_WAITING}"
    return seconds, f"the server may abort running requests at SIGTERM, {_WAITING}"


def _names(servers: Iterable[Server]) -> str:
    """Returns the servers' names as text."""
    return " and ".join(server.name for server in servers)
