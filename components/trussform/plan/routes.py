"""The URLs of a server: Baseten's paths on the stage's host, and the objects that route them."""

from typing import Literal, NamedTuple

from trussform.config import Config
from trussform.plan.given import Given
from trussform.plan.names import NamesPlan
from trussform.problem import FieldPath, Problem
from trussform.stage import GatewayRoute, IngressRoute, IssuedTls, NoRoute, ServerStage

ALIASED = ("production", "development")
"""Environments that Baseten also serves at `/{env}/…`."""
REQUEST_ID = "X-Baseten-Request-Id"
DAY = 86_400
"""Seconds that ingress-nginx may wait for a byte if the stage sets no limit; its default is 60."""
IDLE = 5
"""Seconds after which Envoy closes a connection to a pod that has no request. Its default is an
hour, and a stopping pod, which waits while clients are connected, would wait as long."""
SERVICE_PORT = 80


class Rule(NamedTuple):
    """Outside paths, and the path of the server that they lead to."""

    name: str
    match: Literal["exact", "prefix"]
    paths: tuple[str, ...]
    """The first is Baseten's full path; the others are shorter forms of it."""
    rewrite: str


class Gateway(NamedTuple):
    name: str | None
    """None: the platform gives it."""
    namespace: str | None
    """None: the server's own."""
    listener: str | None
    """None: every listener of the Gateway."""


class Tls(NamedTuple):
    """The certificate of an Ingress."""

    secret: str
    issuer: str | None
    """The issuer that makes the certificate; None: the Secret exists."""
    issuer_kind: Literal["ClusterIssuer", "Issuer"]


class RoutesPlan(NamedTuple):
    kind: Literal["gateway", "ingress", "none"]
    controller: Literal["envoy-gateway", "traefik", "nginx"] | None
    """The program behind the Gateway or the Ingress class; None if the stage does not name it."""
    gateway: Gateway | None
    ingress_class: str | None
    tls: Tls | None
    scheme: Literal["https", "http"]
    port: int | None
    """The port that clients use; None: the scheme's own."""
    protocol: Literal["http", "grpc"]
    """The protocol of the server; WebSockets begin as HTTP."""
    rules: tuple[Rule, ...]
    """The rules of the paths; empty for gRPC, whose calls go through as they are."""
    predict_path: str
    """The path of the printed predict URL; empty for gRPC."""
    sync_path: str
    """The path that a path of the server follows in its URL."""
    domain: str | None
    timeout: int | None
    """Seconds after which the route gives up a request; None: never."""
    proxy_timeout: int
    """Seconds that ingress-nginx waits for a byte."""
    traffic_policy: bool
    """True if a policy of Envoy Gateway lifts the proxy's limits on time and on requests."""
    request_id: bool
    """True if the gateway adds `X-Baseten-Request-Id` to requests and responses."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        if self.kind == "none":
            return "none"
        if self.protocol == "grpc":
            return f"{self._through}: every gRPC call to the host"
        rules = ", ".join(
            f"{path}{'/*' if rule.match == 'prefix' else ''} -> {rule.rewrite}"
            for rule in self.rules
            for path in rule.paths
        )
        return f"{self._through}: {rules}"

    @property
    def _through(self) -> str:
        return f"ingress of class {self.ingress_class}" if self.kind == "ingress" else self.kind


def plan_routes(given: Given, names: NamesPlan) -> RoutesPlan:
    config, stage = given.config, given.stage
    grpc = config.runtime.transport.kind == "grpc"
    inside = _inside(given, names)
    if inside.kind == "none":
        return inside
    outside = inside._replace(domain=stage.domain)
    problems = _missing(given)
    lifted = f"; {_LIFTED}" if inside.traffic_policy else ""
    if grpc:
        # A GRPCRoute knows no timeout, and gRPC's clients bring their own deadlines.
        why = f"gRPC's paths are its services; the route sets no timeout{lifted}"
        return outside._replace(why=why, problems=(*problems, *_about_grpc(stage)))
    timeout = stage.request_timeout
    cut = f"a request is cut after {timeout} s" if timeout else "the route sets no timeout"
    bases = _bases(stage.environment)
    return outside._replace(
        timeout=timeout,
        proxy_timeout=timeout or DAY,
        rules=_rules(config, bases),
        predict_path=f"{bases[0]}/predict",
        sync_path=f"{bases[0]}/sync",
        why=f"Baseten's paths; {cut}{lifted}",
        problems=(*problems, *_unspellable(stage, config.docker_server.predict_endpoint)),
    )


def _inside(given: Given, names: NamesPlan) -> RoutesPlan:
    """Returns the plan of a server without rules: inside the cluster, it has the Service alone."""
    config, route = given.config, given.stage.route
    grpc = config.runtime.transport.kind == "grpc"
    envoy = route.kind == "gateway" and route.controller == "envoy-gateway"
    outside = not isinstance(route, NoRoute)
    return RoutesPlan(
        kind=route.kind,
        controller=route.controller if outside else None,
        gateway=_gateway(route) if isinstance(route, GatewayRoute) else None,
        ingress_class=(
            route.class_name or route.controller if isinstance(route, IngressRoute) else None
        ),
        tls=_tls(route, names) if isinstance(route, IngressRoute) else None,
        scheme=route.scheme if outside else "http",
        port=route.port if outside else None,
        protocol="grpc" if grpc else "http",
        rules=(),
        predict_path="" if grpc else config.docker_server.predict_endpoint,
        sync_path="",
        domain=None,
        timeout=None,
        proxy_timeout=DAY,
        traffic_policy=envoy,
        request_id=envoy,
        why="the stage routes nothing to the outside",
    )


def _gateway(route: GatewayRoute) -> Gateway:
    return Gateway(route.name, route.namespace, route.listener)


def _tls(route: IngressRoute, names: NamesPlan) -> Tls | None:
    if route.tls is None:
        return None
    if isinstance(route.tls, IssuedTls):
        return Tls(names.tls, route.tls.issuer, route.tls.issuer_kind)
    return Tls(route.tls.secret, None, "ClusterIssuer")


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


def _unspellable(stage: ServerStage, predict: str) -> list[Problem]:
    """nginx would read these characters as its own language."""
    if not (stage.route.kind == "ingress" and stage.route.controller == "nginx"):
        return []
    if not set(predict) & set("$;'"):
        return []
    keys: FieldPath = ("docker_server", "predict_endpoint")
    message = f"`{predict}` cannot be written for ingress-nginx"
    return [Problem("config", keys, message, "use another route, or an endpoint without `$;'`")]


def _about_grpc(stage: ServerStage) -> list[Problem]:
    route = stage.route
    if route.kind == "gateway" and route.controller is None:
        message = (
            "a GRPCRoute cannot set a timeout, and Envoy ends gRPC calls after 15 s by default"
        )
        fix = "name the Gateway's controller: `controller: envoy-gateway` or `traefik`"
        return [Problem("stage", ("route",), message, fix, "warning")]
    if not (route.kind == "ingress" and route.controller == "nginx"):
        return []
    problems: list[Problem] = []
    if route.scheme == "http":
        message = "ingress-nginx takes gRPC over TLS only"
        problems.append(Problem("stage", ("route", "scheme"), message, "write `scheme: https`"))
    message = "ingress-nginx ends a call after 60 s in which the client sends nothing"
    fix = "set `client-body-timeout` in its ConfigMap, or use a Gateway"
    problems.append(Problem("stage", ("route", "controller"), message, fix, "warning"))
    return problems


def _missing(given: Given) -> list[Problem]:
    stage, platform = given.stage, given.platform
    problems: list[Problem] = []

    def need(keys: FieldPath, message: str, fix: str) -> None:
        problems.append(Problem("stage", keys, message, fix))

    if stage.domain is None and "domain" not in platform:
        need(("domain",), "a route needs a host, but the stage has no `domain`",
             "add `domain: models.example.com`, or `route: {kind: none}`")  # fmt: skip
    if (
        isinstance(stage.route, GatewayRoute)
        and stage.route.name is None
        and "gateway" not in platform
    ):
        need(("route", "name"), "the route has no Gateway",
             "add `name: NAME`, or `kind: ingress`")  # fmt: skip
    return problems
