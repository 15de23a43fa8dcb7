"""The auth of a route: its callers, and the object of the controller that checks them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from trussform.config import Config
from trussform.plan.given import Given
from trussform.plan.known_secrets import missing
from trussform.problem import FieldPath, Problem
from trussform.stage import ApiKeyAuth, ForwardAuth, NoRoute, Route, ServerStage

Policy = Literal["none", "SecurityPolicy", "Middleware", "annotations"]
"""The spelling of auth: an object of Envoy Gateway or Traefik, or annotations for ingress-nginx."""


class Forward(NamedTuple):
    """The Service that decides about each request."""

    service: str
    namespace: str
    port: int
    path: str
    headers: tuple[str, ...]
    """Headers of its answer that the server gets."""


class AuthPlan(NamedTuple):
    kind: Literal["none", "api-key", "forward"]
    policy: Policy
    why: str
    clients: tuple[str, ...] = ()
    """The secrets of the stack whose values are keys, one per client."""
    rotating: Mapping[str, str] = MappingProxyType({})
    """A second secret of the stack by client, whose value is a key of that client too."""
    existing: str | None = None
    """An existing Secret with the keys; None: one is made of `clients`."""
    forward: Forward | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """The secrets of the stack whose values are keys of clients."""
        return (*self.clients, *self.rotating.values())

    def __str__(self) -> str:
        spelling = "" if self.policy == "none" else f", in {_SPELLINGS[self.policy]}"
        if self.kind == "api-key":
            clients = ", ".join(map(self._client, self.clients))
            return f"api-key: {clients or f'those of the Secret {self.existing}'}{spelling}"
        if self.forward is not None:
            return f"forward: {self.forward.service}.{self.forward.namespace} decides{spelling}"
        return "none"

    def _client(self, name: str) -> str:
        return f"{name} (two keys)" if name in self.rotating else name


_SPELLINGS = {
    "SecurityPolicy": "a SecurityPolicy",
    "Middleware": "a Middleware",
    "annotations": "annotations of the Ingress",
}


def plan_auth(given: Given) -> AuthPlan:
    """Decides the callers of the route."""
    stage = given.stage
    if isinstance(stage.route, NoRoute):
        return AuthPlan("none", "none", "the stage routes nothing to the outside")
    auth, path = stage.auth, stage.path("auth")
    if auth is None:
        message = "the route has no `auth`, and is open to the outside"
        fix = "write `auth: {kind: api-key, keys: [CLIENT]}`, or `auth: none` to admit every caller"
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
            problems=tuple(_about_keys(given, auth, path)),
        )
    if isinstance(auth, ForwardAuth):
        return AuthPlan(
            "forward",
            _policy(stage.route, auth),
            "the gateway asks that Service before each request",
            forward=Forward(
                auth.service, auth.namespace, auth.port, auth.path, tuple(auth.headers)
            ),
            problems=tuple(_about_forward(given.config, stage, path)),
        )
    return AuthPlan("none", "none", "the stage's `auth: none`: open to all who reach the gateway")


def _policy(route: Route, auth: ApiKeyAuth | ForwardAuth) -> Policy:
    if isinstance(route, NoRoute):
        return "none"
    if route.controller == "envoy-gateway":
        return "SecurityPolicy"
    if isinstance(auth, ApiKeyAuth):
        return "none"  # No other controller compares keys; the plan has that problem.
    if route.controller == "traefik":
        return "Middleware"
    return "annotations" if route.controller == "nginx" else "none"


def _why_keys(config: Config) -> str:
    headers = "`Authorization: Bearer KEY` or `Authorization: Api-Key KEY`"
    if config.runtime.transport.kind == "grpc":
        headers += ", or either as `baseten-authorization`"
    return f"the gateway admits clients that send {headers}"


def _about_keys(given: Given, auth: ApiKeyAuth, path: FieldPath) -> list[Problem]:
    stage = given.stage
    problems: list[Problem] = []
    if _policy(stage.route, auth) == "none":
        message = "only Envoy Gateway can check API keys"
        fix = "add `controller: envoy-gateway` to the route of such a Gateway, or use `forward`"
        problems.append(Problem("stage", (*path, "kind"), message, fix))
    if stage.secrets != "pulumi" and auth.keys:
        message = "the keys cannot come from the stage, because its secrets are not Pulumi's"
        fix = (
            "make a Secret with two entries per client, `KEY` and `Api-Key KEY`, and write "
            "`existing: NAME`"
        )
        problems.append(Problem("stage", (*path, "keys"), message, fix))
        return problems
    places: dict[str, FieldPath] = {key: ("keys", i) for i, key in enumerate(auth.keys or ())}
    places |= {key: ("rotating", client) for client, key in auth.rotating.items()}
    for key, place in places.items():
        problems += missing(given.secrets, key, (*path, *place), "stage")
    return problems


def _about_forward(config: Config, stage: ServerStage, field: FieldPath) -> list[Problem]:
    route = stage.route
    if route.kind == "gateway" and route.controller is None:
        message = "the Gateway API has no field for `forward`; each controller has its own"
        fix = "add `controller: envoy-gateway` or `traefik`"
        return [Problem("stage", ("route",), message, fix)]
    nginx = route.kind == "ingress" and route.controller == "nginx"
    if nginx and config.runtime.transport.kind == "grpc":
        message = "ingress-nginx answers a refused gRPC call with an HTML page"
        return [Problem("stage", field, message, "use a Gateway for a gRPC server")]
    return []
