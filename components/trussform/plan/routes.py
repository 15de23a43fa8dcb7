"""The URLs of a server: Baseten's paths on the server's host, and the route to the Service."""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from trussform.config import Config
from trussform.plan.given import Given
from trussform.plan.names import NamesPlan
from trussform.problem import FieldPath, Problem
from trussform.stage import GatewayRoute, IngressRoute, IssuedTls, NoRoute, ServerStage

ALIASED = ("production", "development")
"""Environments that Baseten also serves at `/{env}/…`."""
REQUEST_ID = "X-Baseten-Request-Id"
"""The header that Baseten adds to requests and responses."""
DAY = 86_400
"""Seconds that ingress-nginx waits for a byte if the stage sets no limit; its own default is 60."""
IDLE = 5
"""Seconds after which Envoy closes an idle connection to a pod. Its own default is an hour, and a
stopping pod would wait that long for its clients to disconnect."""
SERVICE_PORT = 80
"""The port of the Service."""


class Rule(NamedTuple):
    """Public paths, and the path of the server that they are rewritten to."""

    name: str
    match: Literal["exact", "prefix"]
    paths: tuple[str, ...]
    """The first is Baseten's full path; the others are shorter forms of it."""
    rewrite: str
    """The path of the server, or its prefix."""


class Gateway(NamedTuple):
    """The Gateway that the route attaches to."""

    name: str | None
    """None: a platform stack gives it."""
    namespace: str | None
    """None: the server's namespace."""
    listener: str | None
    """None: every listener of the Gateway."""


class Tls(NamedTuple):
    """The certificate of an Ingress."""

    secret: str
    issuer: str | None
    """The cert-manager issuer of the certificate; None: the Secret already exists."""
    issuer_kind: Literal["ClusterIssuer", "Issuer"]


class RoutesPlan(NamedTuple):
    """The route and its paths."""

    kind: Literal["gateway", "ingress", "none"]
    controller: Literal["envoy-gateway", "traefik", "gke", "nginx"] | None
    """The controller of the Gateway or the Ingress class; None if the stage does not name it."""
    gateway: Gateway | None
    """None for other kinds of routes."""
    ingress_class: str | None
    """None for other kinds of routes."""
    tls: Tls | None
    """None if the Ingress has no certificate, or for other kinds of routes."""
    scheme: Literal["https", "http"]
    """The scheme of the URLs."""
    port: int | None
    """The port of the URLs; None: the default of the scheme."""
    protocol: Literal["http", "grpc"]
    """The protocol of the server; WebSockets start as HTTP."""
    rules: tuple[Rule, ...]
    """The rules of the paths; empty for gRPC, whose calls are not rewritten."""
    predict_path: str
    """The path of the printed predict URL; empty for gRPC."""
    sync_path: str
    """The prefix of a URL whose remaining path is the server's own."""
    domain: str | None
    """The domain of the host; None: a platform stack gives it, or there is no route."""
    timeout: int | None
    """Seconds after which the route aborts a request; None: never."""
    proxy_timeout: int
    """Seconds that ingress-nginx waits for a byte, and GKE's load balancer for a whole response."""
    traffic_policy: bool
    """True if a BackendTrafficPolicy removes Envoy's limits on time and on concurrent requests."""
    backend_policies: bool
    """True if GKE's own policies set the health check and the timeout of the Service."""
    request_id: bool
    """True if the gateway adds `X-Baseten-Request-Id` to requests and responses."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        if self.kind == "none":
            return "none"
        if self.protocol == "grpc":
            return f"{self._name}: every gRPC call to the host"
        rules = ", ".join(
            f"{path}{'/*' if rule.match == 'prefix' else ''} -> {rule.rewrite}"
            for rule in self.rules
            for path in rule.paths
        )
        return f"{self._name}: {rules}"

    @property
    def _name(self) -> str:
        """The route as `trussform explain` shows it."""
        return f"Ingress of class {self.ingress_class}" if self.kind == "ingress" else "Gateway"


def plan_routes(given: Given, names: NamesPlan) -> RoutesPlan:
    """Decides the paths, the timeouts and the limits of the route."""
    config, stage = given.config, given.stage
    grpc = config.runtime.transport.kind == "grpc"
    plan = _without_rules(given, names)
    if plan.kind == "none":
        return plan
    plan = plan._replace(domain=stage.domain)
    problems = _missing_fields(given)
    limits = f"; {_NO_LIMITS}" if plan.traffic_policy else ""
    if plan.backend_policies:
        limits = f"; {_GKE_POLICIES}"
    if grpc:
        # A GRPCRoute has no timeout, and gRPC clients set their own deadlines.
        why = f"gRPC calls keep their paths; the route sets no timeout{limits}"
        return plan._replace(why=why, problems=(*problems, *_grpc_problems(stage)))
    timeout = stage.request_timeout
    aborts = f"`request_timeout` is {timeout} s" if timeout else "the route sets no timeout"
    if plan.backend_policies and not timeout:
        aborts = f"GKE's load balancer ends a request after {DAY:,} s"
    bases = _bases(stage.environment)
    return plan._replace(
        timeout=timeout,
        proxy_timeout=timeout or DAY,
        rules=_rules(config, bases),
        predict_path=f"{bases[0]}/predict",
        sync_path=f"{bases[0]}/sync",
        why=f"these are Baseten's paths; {aborts}{limits}",
        problems=(
            *problems,
            *_nginx_problems(stage, config.docker_server.predict_endpoint),
            *_gke_problems(config, stage),
        ),
    )


def _without_rules(given: Given, names: NamesPlan) -> RoutesPlan:
    """Returns the plan without rules; it is whole for a server that only has a Service."""
    config, route = given.config, given.stage.route
    grpc = config.runtime.transport.kind == "grpc"
    envoy = route.kind == "gateway" and route.controller == "envoy-gateway"
    public = not isinstance(route, NoRoute)
    return RoutesPlan(
        kind=route.kind,
        controller=route.controller if public else None,
        gateway=_gateway(route) if isinstance(route, GatewayRoute) else None,
        ingress_class=(
            route.class_name or route.controller if isinstance(route, IngressRoute) else None
        ),
        tls=_tls(route, names) if isinstance(route, IngressRoute) else None,
        scheme=route.scheme if public else "http",
        port=route.port if public else None,
        protocol="grpc" if grpc else "http",
        rules=(),
        predict_path="" if grpc else config.docker_server.predict_endpoint,
        sync_path="",
        domain=None,
        timeout=None,
        proxy_timeout=DAY,
        traffic_policy=envoy,
        backend_policies=route.kind == "gateway" and route.controller == "gke",
        request_id=envoy,
        why="the stage has `route: {kind: none}`; only pods of the cluster reach the server",
    )


def _gateway(route: GatewayRoute) -> Gateway:
    """Returns the Gateway that the stage names."""
    return Gateway(route.name, route.namespace, route.listener)


def _tls(route: IngressRoute, names: NamesPlan) -> Tls | None:
    """Returns the certificate of an Ingress."""
    if route.tls is None:
        return None
    if isinstance(route.tls, IssuedTls):
        return Tls(names.tls, route.tls.issuer, route.tls.issuer_kind)
    return Tls(route.tls.secret, None, "ClusterIssuer")


_GKE_PATH = re.compile(r"/[A-Za-z0-9/\-._~%!?$&'()*+,;=:]*")
"""The paths that a HealthCheckPolicy of GKE accepts."""
_GKE_POLICIES = (
    "a GCPBackendPolicy sets the timeout, and a HealthCheckPolicy asks the readiness endpoint; "
    "the objects are untried on GKE"
)
_NO_LIMITS = (
    "a BackendTrafficPolicy removes Envoy's default limits on time and on concurrent requests"
)


def _bases(environment: str) -> tuple[str, ...]:
    """Returns the prefixes of an environment's paths on Baseten, the full form first.

    Clients of regional hosts send the paths of production without a prefix.
    """
    full = f"/environments/{environment}"
    short = (f"/{environment}",) if environment in ALIASED else ()
    return (full, *short, *(("",) if environment == "production" else ()))


def _rules(config: Config, bases: tuple[str, ...]) -> tuple[Rule, ...]:
    """Returns the rules for HTTP and WebSockets."""
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


def _nginx_problems(stage: ServerStage, predict: str) -> list[Problem]:
    """Returns the problem of characters that nginx's configuration gives a meaning."""
    if not (stage.route.kind == "ingress" and stage.route.controller == "nginx"):
        return []
    if not set(predict) & set("$;'"):
        return []
    field: FieldPath = ("docker_server", "predict_endpoint")
    message = f"ingress-nginx cannot rewrite to `{predict}`"
    fix = "use an endpoint without `$`, `;` and `'`, or use another controller"
    return [Problem("config", field, message, fix)]


def _gke_problems(config: Config, stage: ServerStage) -> Iterator[Problem]:
    """Yields the problems of a Gateway that GKE runs, or may run."""
    route, path = stage.route, config.docker_server.readiness_endpoint
    gke = route.kind == "gateway" and route.controller == "gke"
    if gke and not _GKE_PATH.fullmatch(path):
        field: FieldPath = ("docker_server", "readiness_endpoint")
        fix = "use letters, digits and -._~%!$&'()*+,;=:, or use another controller"
        yield Problem("config", field, f"GKE's HealthCheckPolicy cannot ask `{path}`", fix)
    if route.kind == "gateway" and route.controller is None and stage.gpu.dialect == "gke":
        message = "GKE's Gateway rejects a route with a timeout, and asks `GET /` of each pod"
        fix = "if GKE runs the Gateway, add `controller: gke` to the route"
        yield Problem("stage", ("route",), message, fix, "warning")


def _grpc_problems(stage: ServerStage) -> list[Problem]:
    """Returns the problems of gRPC with the route's controller."""
    route = stage.route
    if route.kind == "gateway" and route.controller is None:
        message = (
            "a GRPCRoute cannot set a timeout, and Envoy aborts gRPC calls after 15 s by default"
        )
        fix = "name the Gateway's controller: `controller: envoy-gateway` or `traefik`"
        return [Problem("stage", ("route",), message, fix, "warning")]
    if route.kind == "gateway" and route.controller == "gke":
        message = "the GRPCRoute of a gRPC server is untried on GKE's Gateway"
        fix = "after the deploy, check that the route has the condition `Accepted`"
        return [Problem("stage", ("route", "controller"), message, fix, "warning")]
    if not (route.kind == "ingress" and route.controller == "nginx"):
        return []
    problems: list[Problem] = []
    if route.scheme == "http":
        message = "ingress-nginx accepts gRPC only over TLS"
        problems.append(Problem("stage", ("route", "scheme"), message, "write `scheme: https`"))
    message = "ingress-nginx aborts a streaming call when the client sends nothing for 60 s"
    fix = "raise `client-body-timeout` in its ConfigMap, or use a Gateway"
    problems.append(Problem("stage", ("route", "controller"), message, fix, "warning"))
    return problems


def _missing_fields(given: Given) -> Iterator[Problem]:
    """Yields a problem for each field that the route needs and neither stage nor platform gives."""
    stage, platform = given.stage, given.platform
    if stage.domain is None and "domain" not in platform:
        message = "a route needs a host, and the stage has no `domain`"
        fix = "add `domain: models.example.com`, or `route: {kind: none}`"
        yield Problem("stage", ("domain",), message, fix)
    route = stage.route
    if isinstance(route, GatewayRoute) and route.name is None and "gateway" not in platform:
        message = "the route does not name the cluster's Gateway"
        fix = "add `name: NAME`, or write `kind: ingress`"
        yield Problem("stage", ("route", "name"), message, fix)
