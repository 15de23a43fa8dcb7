"""The URLs of a server, the same as on Baseten but for the host."""

from collections.abc import Collection
from typing import Literal, NamedTuple

from trussform.config import Config
from trussform.problem import Finding, Keys
from trussform.stage import GatewayRoute, IngressRoute, NoRoute, Route, Stage


class Rule(NamedTuple):
    """One path of the outside and where it goes in the server."""

    name: str
    match: Literal["exact", "prefix"]
    path: str
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
    why: str

    def __str__(self) -> str:
        if isinstance(self.route, NoRoute):
            return "none"
        if self.protocol == "grpc":
            return f"{self.route.kind}: every gRPC call to the host"
        rules = ", ".join(
            f"{rule.path}{'/*' if rule.match == 'prefix' else ''} -> {rule.rewrite}"
            for rule in self.rules
        )
        return f"{self.route.kind}: {rules}"


def routes(config: Config, stage: Stage, placed: Collection[str]) -> tuple[Routes, list[Finding]]:
    predict = config.docker_server.predict_endpoint
    grpc = config.runtime.transport.kind == "grpc"
    inside = Routes(
        route=stage.route,
        protocol="grpc" if grpc else "http",
        rules=(),
        predict_path="" if grpc else predict,
        sync_path="",
        domain=None,
        timeout=None,
        why="the stage routes nothing to the outside",
    )
    if isinstance(stage.route, NoRoute):
        return inside, []
    outside = inside._replace(domain=stage.domain, timeout=stage.request_timeout)
    findings = _missing(stage, placed)
    if grpc:
        # A GRPCRoute knows no timeout, and gRPC's clients bring their own deadlines.
        why = "gRPC's paths are its services; the route sets no timeout"
        return outside._replace(timeout=None, why=why), [*findings, *_grpc_by_nginx(stage)]
    timeout = stage.request_timeout
    cut = f"a request is cut after {timeout} s" if timeout else "the route cuts no stream"
    base = f"/environments/{stage.environment}"
    return outside._replace(
        rules=_rules(config, base),
        predict_path=f"{base}/predict",
        sync_path=f"{base}/sync",
        why=f"Baseten's paths; {cut}",
    ), [*findings, *_unspellable(stage, predict)]


def _rules(config: Config, base: str) -> tuple[Rule, ...]:
    predict = config.docker_server.predict_endpoint
    rules = (
        Rule("predict", "exact", f"{base}/predict", predict),
        Rule("sync", "prefix", f"{base}/sync", "/"),
    )
    if config.runtime.transport.kind == "websocket":
        return (*rules, Rule("websocket", "exact", f"{base}/websocket", predict))
    return rules


def _unspellable(stage: Stage, predict: str) -> list[Finding]:
    """nginx would read these characters as its own language."""
    if not (isinstance(stage.route, IngressRoute) and stage.route.controller == "nginx"):
        return []
    if not set(predict) & set("$;'"):
        return []
    keys: Keys = ("docker_server", "predict_endpoint")
    message = f"`{predict}` cannot be written for ingress-nginx"
    return [Finding("config", keys, message, "use another route, or an endpoint without `$;'`")]


def _grpc_by_nginx(stage: Stage) -> list[Finding]:
    route = stage.route
    if not (isinstance(route, IngressRoute) and route.controller == "nginx"):
        return []
    findings: list[Finding] = []
    if route.scheme == "http":
        message = "ingress-nginx takes gRPC by TLS alone"
        findings.append(Finding("stage", ("route", "scheme"), message, "write `scheme: https`"))
    message = "ingress-nginx ends a call whose client may still send and is silent for 60 s"
    help = "set `client-body-timeout` in its ConfigMap, or take a Gateway"
    findings.append(Finding("stage", ("route", "controller"), message, help, "warning"))
    return findings


def _missing(stage: Stage, placed: Collection[str]) -> list[Finding]:
    findings: list[Finding] = []

    def need(keys: Keys, message: str, help: str) -> None:
        findings.append(Finding("stage", keys, message, help))

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
    return findings
