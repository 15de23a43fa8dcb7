"""The auth of a route: the callers it accepts, and the auth policy that checks them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from trussform.config import Config
from trussform.plan.given import Given
from trussform.plan.known_secrets import missing
from trussform.problem import FieldPath, Problem
from trussform.stage import ApiKeyAuth, ForwardAuth, NoRoute, Route, ServerStage

Policy = Literal["none", "SecurityPolicy", "Middleware", "annotations"]
"""The form of the auth policy: an object of Envoy Gateway or Traefik, or annotations for
ingress-nginx."""


class Forward(NamedTuple):
    """The auth service that accepts or rejects each request."""

    service: str
    namespace: str
    port: int
    path: str
    headers: tuple[str, ...]
    """Headers of its response that are forwarded to the server."""


class AuthPlan(NamedTuple):
    """The auth policy of the route."""

    kind: Literal["none", "api-key", "forward"]
    policy: Policy
    why: str
    clients: tuple[str, ...] = ()
    """The secrets of the stack whose values are API keys, one per client."""
    rotating: Mapping[str, str] = MappingProxyType({})
    """The second secret of a client, whose value is accepted too while the key rotates."""
    existing: str | None = None
    """An existing Secret with the keys; None: Trussform creates one for `clients`."""
    forward: Forward | None = None
    """None for other kinds."""
    problems: tuple[Problem, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """All secrets of the stack whose values are API keys."""
        return (*self.clients, *self.rotating.values())

    def __str__(self) -> str:
        policy = "" if self.policy == "none" else f"; checked by {_POLICIES[self.policy]}"
        if self.kind == "api-key":
            clients = ", ".join(map(self._client, self.clients))
            return f"API keys: {clients or f'those of the Secret {self.existing}'}{policy}"
        if self.forward is not None:
            return f"auth service {self.forward.service}.{self.forward.namespace}{policy}"
        return "none"

    def _client(self, name: str) -> str:
        """Returns a client's name as `trussform explain` shows it."""
        return f"{name} (two keys)" if name in self.rotating else name


_POLICIES = {
    "SecurityPolicy": "a SecurityPolicy",
    "Middleware": "a Middleware",
    "annotations": "annotations of the Ingress",
}


def plan_auth(given: Given) -> AuthPlan:
    """Decides the auth policy from the stage's `auth` and the route's controller."""
    stage = given.stage
    if isinstance(stage.route, NoRoute):
        return AuthPlan("none", "none", "the server has no route")
    auth, path = stage.auth, stage.path("auth")
    if auth is None:
        message = "the stage has a route and no `auth`"
        fix = (
            "write `auth: {kind: api-key, keys: [CLIENT]}`, or `auth: none` to accept all requests"
        )
        problem = Problem("stage", path, message, fix)
        return AuthPlan("none", "none", message, problems=(problem,))
    if isinstance(auth, ApiKeyAuth):
        return AuthPlan(
            "api-key",
            _policy(stage.route, auth),
            _why_keys(given.config),
            clients=tuple(auth.keys or ()),
            rotating=auth.rotating,
            existing=auth.existing,
            problems=tuple(_key_problems(given, auth, path)),
        )
    if isinstance(auth, ForwardAuth):
        return AuthPlan(
            "forward",
            _policy(stage.route, auth),
            "the gateway asks the auth service, which accepts a request with a 2xx response",
            forward=Forward(
                auth.service, auth.namespace, auth.port, auth.path, tuple(auth.headers)
            ),
            problems=tuple(_forward_problems(given.config, stage, path)),
        )
    return AuthPlan(
        "none",
        "none",
        "the stage has `auth: none`; everyone who reaches the gateway can call the server",
    )


def _policy(route: Route, auth: ApiKeyAuth | ForwardAuth) -> Policy:
    """Returns the form of the auth policy that the route's controller reads."""
    if isinstance(route, NoRoute):
        return "none"
    if route.controller == "envoy-gateway":
        return "SecurityPolicy"
    if isinstance(auth, ApiKeyAuth):
        return "none"  # No other controller checks API keys; `_key_problems` reports it.
    if route.controller == "traefik":
        return "Middleware"
    return "annotations" if route.controller == "nginx" else "none"


def _why_keys(config: Config) -> str:
    """Returns the forms in which clients send their keys."""
    headers = "`Authorization: Bearer KEY` or `Authorization: Api-Key KEY`"
    if config.runtime.transport.kind == "grpc":
        headers += ", or with the header `baseten-authorization`"
    return f"the gateway accepts requests with {headers}"


def _key_problems(given: Given, auth: ApiKeyAuth, path: FieldPath) -> list[Problem]:
    """Returns the problems of API keys."""
    stage = given.stage
    problems: list[Problem] = []
    if _policy(stage.route, auth) == "none":
        message = "API keys need Envoy Gateway, and the route does not name it"
        fix = "add `controller: envoy-gateway` to the route, or use `kind: forward`"
        problems.append(Problem("stage", (*path, "kind"), message, fix))
    if stage.secrets != "pulumi" and auth.keys:
        message = "API keys from the stack need `secrets: pulumi`, and the stage has other secrets"
        fix = (
            "create a Secret with two entries per client, `KEY` and `Api-Key KEY`, and write "
            "`existing: NAME`"
        )
        problems.append(Problem("stage", (*path, "keys"), message, fix))
        return problems
    places: dict[str, FieldPath] = {key: ("keys", i) for i, key in enumerate(auth.keys or ())}
    places |= {key: ("rotating", client) for client, key in auth.rotating.items()}
    for key, place in places.items():
        problems += missing(given.secrets, key, (*path, *place), "stage")
    return problems


def _forward_problems(config: Config, stage: ServerStage, field: FieldPath) -> list[Problem]:
    """Returns the problems of an auth service."""
    route = stage.route
    if route.kind == "gateway" and route.controller in (None, "gke"):
        message = "the Gateway API has no forward auth, so each controller needs its own object"
        fix = "add `controller: envoy-gateway` or `controller: traefik` to the route"
        return [Problem("stage", ("route",), message, fix)]
    nginx = route.kind == "ingress" and route.controller == "nginx"
    if nginx and config.runtime.transport.kind == "grpc":
        message = "ingress-nginx returns an HTML page to gRPC clients that fail auth"
        return [Problem("stage", field, message, "use a Gateway for a gRPC server")]
    return []
