"""The URLs of a server, the same as on Baseten but for the host."""

from collections.abc import Collection
from typing import Literal, NamedTuple

from trussform.config import Config
from trussform.problem import FieldPath, Problem
from trussform.stage import GatewayRoute, IngressRoute, NoRoute, Route, Stage

ALIASED = ("production", "development")
"""Environments that Baseten also serves at `/{env}/…`."""
REQUEST_ID = "X-Baseten-Request-Id"


class Rule(NamedTuple):
    """Paths of the outside, and the one of the server that they go to."""

    name: str
    match: Literal["exact", "prefix"]
    paths: tuple[str, ...]
    """The first is Baseten's full path; the others are shorter forms of it."""
    rewrite: str


class Routes(NamedTuple):
    route: Route
    protocol: Literal["http", "grpc"]
    """What the server speaks; WebSockets begin as HTTP."""
    rules: tuple[Rule, ...]
    """What becomes of each path; empty for gRPC, whose calls go through as they are."""
    predict_path: str
    """The path of the printed predict URL; empty for gRPC."""
    sync_path: str
    """The path that a path of the server follows in its URL."""
    domain: str | None
    timeout: int | None
    """Seconds after which the route gives up a request; None: never."""
    traffic_policy: bool
    """True if a policy of Envoy Gateway lifts the proxy's limits on time and on requests."""
    request_id: bool
    """True if the gateway adds `X-Baseten-Request-Id` to requests and responses."""
    why: str

    def __str__(self) -> str:
        if isinstance(self.route, NoRoute):
            return "none"
        if self.protocol == "grpc":
            return f"{self.route.kind}: every gRPC call to the host"
        rules = ", ".join(
            f"{path}{'/*' if rule.match == 'prefix' else ''} -> {rule.rewrite}"
            for rule in self.rules
            for path in rule.paths
        )
        return f"{self.route.kind}: {rules}"


def routes(config: Config, stage: Stage, placed: Collection[str]) -> tuple[Routes, list[Problem]]:
    predict = config.docker_server.predict_endpoint
    grpc = config.runtime.transport.kind == "grpc"
    envoy = isinstance(stage.route, GatewayRoute) and stage.route.controller == "envoy-gateway"
    inside = Routes(
        route=stage.route,
        protocol="grpc" if grpc else "http",
        rules=(),
        predict_path="" if grpc else predict,
        sync_path="",
        domain=None,
        timeout=None,
        traffic_policy=envoy,
        request_id=envoy,
        why="the stage routes nothing to the outside",
    )
    if isinstance(stage.route, NoRoute):
        return inside, []
    outside = inside._replace(domain=stage.domain, timeout=stage.request_timeout)
    problems = _missing(stage, placed)
    if grpc:
        # A GRPCRoute knows no timeout, and gRPC's clients bring their own deadlines.
        why = "gRPC's paths are its services; the route sets no timeout"
        if envoy:
            why += f"; {_LIFTED}"
        return outside._replace(timeout=None, why=why), [*problems, *_about_grpc(stage)]
    timeout = stage.request_timeout
    cut = f"a request is cut after {timeout} s" if timeout else "the route cuts no stream"
    bases = _bases(stage.environment)
    return outside._replace(
        rules=_rules(config, bases),
        predict_path=f"{bases[0]}/predict",
        sync_path=f"{bases[0]}/sync",
        why=f"Baseten's paths; {cut}{f'; {_LIFTED}' if envoy else ''}",
    ), [*problems, *_unspellable(stage, predict)]


_LIFTED = "a BackendTrafficPolicy lifts Envoy's limits on time and on requests in flight"


def _bases(environment: str) -> tuple[str, ...]:
    """Returns what the paths of an environment begin with on Baseten, the full form first.

    Clients of regional hosts send production's paths bare.
    """
    full = f"/environments/{environment}"
    short = (f"/{environment}",) if environment in ALIASED else ()
    return (full, *short, *(("",) if environment == "production" else ()))


def _rules(config: Config, bases: tuple[str, ...]) -> tuple[Rule, ...]:
    predict = config.docker_server.predict_endpoint

    def paths(end: str) -> tuple[str, ...]:
        return tuple(f"{base}/{end}" for base in bases)

    rules = (
        Rule("predict", "exact", paths("predict"), predict),
        Rule("sync", "prefix", paths("sync"), "/"),
    )
    if config.runtime.transport.kind == "websocket":
        return (*rules, Rule("websocket", "exact", paths("websocket"), predict))
    return rules


def _unspellable(stage: Stage, predict: str) -> list[Problem]:
    """nginx would read these characters as its own language."""
    if not (isinstance(stage.route, IngressRoute) and stage.route.controller == "nginx"):
        return []
    if not set(predict) & set("$;'"):
        return []
    keys: FieldPath = ("docker_server", "predict_endpoint")
    message = f"`{predict}` cannot be written for ingress-nginx"
    return [Problem("config", keys, message, "use another route, or an endpoint without `$;'`")]


def _about_grpc(stage: Stage) -> list[Problem]:
    route = stage.route
    if isinstance(route, GatewayRoute) and route.controller is None:
        message = (
            "a GRPCRoute cannot set a timeout, and Envoy ends gRPC calls after 15 s by default"
        )
        fix = "name the Gateway's controller: `controller: envoy-gateway` or `traefik`"
        return [Problem("stage", ("route",), message, fix, "warning")]
    if not (isinstance(route, IngressRoute) and route.controller == "nginx"):
        return []
    problems: list[Problem] = []
    if route.scheme == "http":
        message = "ingress-nginx takes gRPC by TLS alone"
        problems.append(Problem("stage", ("route", "scheme"), message, "write `scheme: https`"))
    message = "ingress-nginx ends a call whose client may still send and is silent for 60 s"
    fix = "set `client-body-timeout` in its ConfigMap, or take a Gateway"
    problems.append(Problem("stage", ("route", "controller"), message, fix, "warning"))
    return problems


def _missing(stage: Stage, placed: Collection[str]) -> list[Problem]:
    problems: list[Problem] = []

    def need(keys: FieldPath, message: str, fix: str) -> None:
        problems.append(Problem("stage", keys, message, fix))

    if stage.domain is None and "domain" not in placed:
        need(("domain",), "a route needs a host, and the stage has no domain",
             "add `domain: models.example.com`, or `route: {kind: none}`")  # fmt: skip
    if (
        isinstance(stage.route, GatewayRoute)
        and stage.route.name is None
        and "gateway" not in placed
    ):
        need(("route", "name"), "the route needs the name of the cluster's Gateway",
             "add `name: NAME`, or `kind: ingress`")  # fmt: skip
    return problems
