"""How a new version replaces the old one, and how long each step may take."""

from collections.abc import Iterable
from typing import NamedTuple

from trussform.config import Config
from trussform.plan.command import Command
from trussform.plan.probes import LATE, Probes
from trussform.plan.servers import Server
from trussform.plan.weights import Weights
from trussform.problem import counted
from trussform.stage import NoRoute, Stage

DRAIN_DELAY = 5
"""Seconds between leaving the endpoints and SIGTERM: routers hear of it later than the pod."""
DRAIN = 600
"""Seconds that a stopping pod gives its requests where the stage says nothing."""
LONG_DRAIN = 3600
"""The same for WebSockets and gRPC streams, which live an hour through an update on Baseten."""
_CLOSING = ("envoy-gateway", "nginx")
"""Controllers that close idle gRPC connections within a minute. Traefik keeps them open."""
_IDLE = "idle connections count until the proxy closes them (Envoy after 5 s, Traefik after 90 s)"
HUNG_GRACE = 30
"""Seconds that a container has to end after it failed to start or to live: whoever does not
answer has no request to finish, and waiting for one would only delay the restart."""
SHORTEST_SLACK, LONGEST_SLACK = 10, 60
"""Seconds by which a deadline is later than what it waits for, a tenth of that in between."""


class Rollout(NamedTuple):
    replicas: int
    surge: int
    unavailable: int
    drain_delay: int
    drain: int
    """Seconds that a stopping pod gives its requests."""
    waits: int
    """Seconds of these that SIGTERM waits while clients are connected; 0: it does not wait."""
    grace: int
    """terminationGracePeriodSeconds."""
    hung_grace: int
    """The same, of the startup and the liveness probe."""
    progress_deadline: int
    """progressDeadlineSeconds."""
    timeout: int
    """Seconds after which Pulumi stops waiting."""
    away: int
    """Seconds that an update may leave the server without a pod; 0: never."""
    why: str
    why_drain: str
    why_deadlines: str

    def __str__(self) -> str:
        replicas = counted(self.replicas, "replica")
        return f"{replicas}, surge {self.surge}, unavailable {self.unavailable}"

    @property
    def draining(self) -> str:
        if not self.waits:
            return f"SIGTERM after {self.drain_delay} s, then at most {self.drain} s"
        return (
            f"SIGTERM after {self.drain_delay} s and when no client has been connected for a "
            f"second, at most {self.waits} s later"
        )

    @property
    def deadlines(self) -> str:
        return f"grace {self.grace} s, progress {self.progress_deadline} s, pulumi {self.timeout} s"


def rollout(
    config: Config, stage: Stage, name: str, command: Command, probes: Probes, weights: Weights
) -> Rollout:
    server = stage.server(name)
    replicas = stage.replicas if server.replicas is None else server.replicas
    spare = stage.spare_gpus if server.spare_gpus is None else server.spare_gpus
    gpus = config.resources.accelerator.count if config.resources.accelerator else 0
    drain = _drain(config, stage)
    waits, why_drain = _waits(config, stage, command, drain)
    grace = DRAIN_DELAY + drain + 5
    limits = stage.deadlines
    absent = weights.deadline + limits.pull + probes.startup_budget + LATE
    until_ready = grace + limits.provisioning + absent
    away = 0
    surges = (gpus == 0 or spare >= gpus) and not weights.one_node
    if replicas == 0:
        why = "no replica is asked for"
    elif surges:
        why = "the new pod starts first: " + (
            f"it needs {gpus} of {counted(spare, 'spare GPU')}" if gpus else "it needs no GPU"
        )
    elif replicas > 1:
        carry = "carries" if replicas == 2 else "carry"
        why = f"one replica at a time: {replicas - 1} of {replicas} {carry} the load meanwhile"
    else:
        reason = "no spare GPU is declared"
        if weights.one_node:
            reason = "the weights' volume is one node's"
        elif spare:
            are = "is" if spare == 1 else "are"
            reason = f"{counted(spare, 'spare GPU')} {are} too few for {gpus}"
        away = grace + absent
        parts = "weights + pull" if weights.deadline else "pull"
        why = f"{reason}, so the old pod goes first: without service for at most {away} s "
        why += f"(grace + {parts} + start + checks)"
    slack = min(LONGEST_SLACK, max(SHORTEST_SLACK, until_ready // 10))
    deadline = until_ready + slack
    batches = max(1, replicas)
    fetch = f"+ weights {weights.deadline} (of unknown size) " if weights.deadline else ""
    return Rollout(
        replicas=replicas,
        surge=1 if surges else 0,
        unavailable=0 if surges else 1,
        drain_delay=DRAIN_DELAY,
        drain=drain,
        waits=waits,
        grace=grace,
        hung_grace=min(HUNG_GRACE, grace),
        progress_deadline=deadline,
        timeout=batches * deadline + slack,
        away=away,
        why=why,
        why_drain=why_drain,
        why_deadlines=(
            f"grace {grace} (requests {drain}) + node {limits.provisioning} "
            f"{fetch}+ pull {limits.pull} + start {probes.startup_budget} + checks {LATE} "
            f"< progress; {batches} x progress < pulumi"
        ),
    )


def _drain(config: Config, stage: Stage) -> int:
    if stage.deadlines.drain is not None:
        return stage.deadlines.drain
    if config.runtime.transport.kind == "http":
        return stage.request_timeout or DRAIN
    return max(LONG_DRAIN, stage.request_timeout or 0)


def _waits(config: Config, stage: Stage, command: Command, drain: int) -> tuple[int, str]:
    """Returns the seconds that SIGTERM waits for connections, and the reason."""
    if not command.argv:
        return 0, "the image may have no shell to look for connections with"
    servers, transport = command.servers, config.runtime.transport.kind
    if servers and transport == "http" and all(server.drains for server in servers):
        return 0, f"{_names(servers)} finishes its requests at SIGTERM"
    if transport == "grpc" and _controller(stage) not in _CLOSING:
        return 0, "clients may keep idle gRPC connections open, so the server must finish its calls"
    if transport != "http":
        return drain, f"most servers close connections of {transport} at SIGTERM"
    if cutting := [server for server in servers if server.drains is False]:
        return drain, f"{_names(cutting)} cuts requests at SIGTERM; {_IDLE}"
    return drain, f"the server may cut requests at SIGTERM; {_IDLE}"


def _controller(stage: Stage) -> str | None:
    route = stage.route
    return None if isinstance(route, NoRoute) else route.controller


def _names(servers: Iterable[Server]) -> str:
    return " and ".join(server.name for server in servers)
