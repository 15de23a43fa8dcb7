"""Who may call the server from the outside, and what of the cluster sees to it."""

from collections.abc import Collection
from typing import NamedTuple

from trussform.config import Config
from trussform.plan.secrets import missing
from trussform.problem import FieldPath, Problem
from trussform.stage import (
    ApiKeyAuth,
    Auth,
    ForwardAuth,
    GatewayRoute,
    IngressRoute,
    NoRoute,
    Stage,
)


class Access(NamedTuple):
    auth: Auth
    """How a caller shows who it is; `none`: it need not."""
    why: str

    @property
    def kind(self) -> str:
        return "none" if self.auth == "none" else self.auth.kind

    @property
    def keys(self) -> tuple[str, ...]:
        """The secrets of the stack whose values are keys of clients."""
        return self.auth.secrets if isinstance(self.auth, ApiKeyAuth) else ()

    def __str__(self) -> str:
        if isinstance(self.auth, ApiKeyAuth):
            clients = ", ".join(map(self._client, self.auth.keys or ()))
            return f"api-key: {clients or f'those of the Secret {self.auth.existing}'}"
        if isinstance(self.auth, ForwardAuth):
            return f"forward: {self.auth.service}.{self.auth.namespace} decides"
        return "none"

    def _client(self, name: str) -> str:
        assert isinstance(self.auth, ApiKeyAuth)
        return f"{name} (two keys)" if name in self.auth.rotating else name


def access(
    config: Config, stage: Stage, name: str, available: Collection[str] | None
) -> tuple[Access, list[Problem]]:
    """Decides who may call the server `name`.

    `available`: the names that the stage has values for; None where that is unknown.
    """
    if isinstance(stage.route, NoRoute):
        return Access("none", "the stage routes nothing to the outside"), []
    own = stage.server(name).auth
    auth = own or stage.auth
    keys: FieldPath = ("servers", name, "auth") if own else ("auth",)
    if auth is None:
        message = "the route needs `auth`: it is open to the outside"
        fix = "write `auth: {kind: api-key, keys: [CLIENT]}`, or `auth: none` to let everybody in"
        return Access("none", message), [Problem("stage", keys, message, fix)]
    if isinstance(auth, ApiKeyAuth):
        return Access(auth, _why_keys(config)), _about_keys(stage, auth, keys, available)
    if isinstance(auth, ForwardAuth):
        why = "the gateway asks that Service before each request"
        return Access(auth, why), _about_forward(config, stage, keys)
    return Access("none", "the stage says so: open to all who reach the gateway"), []


def _why_keys(config: Config) -> str:
    headers = "`Authorization: Bearer KEY` or `Authorization: Api-Key KEY`"
    if config.runtime.transport.kind == "grpc":
        headers += ", or either as `baseten-authorization`"
    return f"the gateway admits clients that send {headers}"


def _about_keys(
    stage: Stage, auth: ApiKeyAuth, field: FieldPath, available: Collection[str] | None
) -> list[Problem]:
    problems: list[Problem] = []
    if not (isinstance(stage.route, GatewayRoute) and stage.route.controller == "envoy-gateway"):
        message = "only Envoy Gateway knows keys"
        fix = "add `controller: envoy-gateway` to the route of such a Gateway, or use `forward`"
        problems.append(Problem("stage", (*field, "kind"), message, fix))
    if stage.secrets != "pulumi" and auth.keys:
        message = "the stage's secrets are not Pulumi's, so no Secret of keys can be made of them"
        fix = (
            "make a Secret with two entries per client, `KEY` and `Api-Key KEY`, and write "
            "`existing: NAME`"
        )
        problems.append(Problem("stage", (*field, "keys"), message, fix))
        return problems
    places: dict[str, FieldPath] = {key: ("keys", i) for i, key in enumerate(auth.keys or ())}
    places |= {key: ("rotating", client) for client, key in auth.rotating.items()}
    problems += [
        missing(key, (*field, *place), about="stage")
        for key, place in places.items()
        if available is not None and key not in available
    ]
    return problems


def _about_forward(config: Config, stage: Stage, field: FieldPath) -> list[Problem]:
    route = stage.route
    if isinstance(route, GatewayRoute) and route.controller is None:
        message = "the Gateway API has no words for it, so the Gateway's controller must be known"
        fix = "add `controller: envoy-gateway` or `traefik`"
        return [Problem("stage", ("route",), message, fix)]
    nginx = isinstance(route, IngressRoute) and route.controller == "nginx"
    if nginx and config.runtime.transport.kind == "grpc":
        message = "ingress-nginx answers gRPC's clients by a page when it lets one not in"
        return [Problem("stage", field, message, "use a Gateway for a gRPC server")]
    return []
