"""Who may call the server from the outside, and what of the cluster sees to it."""

from collections.abc import Collection
from typing import NamedTuple

from trussform.config import Config
from trussform.plan.secrets import missing
from trussform.problem import Finding, Keys
from trussform.stage import (
    ApiKeyAuth,
    Auth,
    ForwardAuth,
    GatewayRoute,
    IngressRoute,
    NoRoute,
    Stage,
)

_KEYS: Keys = ("auth",)


class Access(NamedTuple):
    auth: Auth
    """How a caller shows who it is; `none`: it need not."""
    why: str

    @property
    def kind(self) -> str:
        return "none" if self.auth == "none" else self.auth.kind

    @property
    def keys(self) -> tuple[str, ...]:
        """The secrets of the stack that are keys of clients."""
        return tuple(self.auth.keys or ()) if isinstance(self.auth, ApiKeyAuth) else ()

    def __str__(self) -> str:
        if isinstance(self.auth, ApiKeyAuth):
            clients = ", ".join(self.keys) or f"those of the Secret {self.auth.existing}"
            return f"api-key: {clients}"
        if isinstance(self.auth, ForwardAuth):
            return f"forward: {self.auth.service}.{self.auth.namespace} decides"
        return "none"


def access(
    config: Config, stage: Stage, available: Collection[str] | None
) -> tuple[Access, list[Finding]]:
    """`available`: the names that the stage has values for; None where that is unknown."""
    if isinstance(stage.route, NoRoute):
        return Access("none", "the stage routes nothing to the outside"), []
    if stage.auth is None:
        message = "a route is open to the outside, and nobody said who may call it"
        help = "write `auth: {kind: api-key, keys: [CLIENT]}`, or `none` if everybody may"
        return Access("none", message), [Finding("stage", _KEYS, message, help)]
    if isinstance(stage.auth, ApiKeyAuth):
        why = "the gateway lets in who sends `Authorization: Api-Key KEY`"
        return Access(stage.auth, why), _about_keys(stage, stage.auth, available)
    if isinstance(stage.auth, ForwardAuth):
        why = "the gateway asks that Service before each request"
        return Access(stage.auth, why), _about_forward(config, stage)
    return Access("none", "the stage says so: open to all who reach the gateway"), []


def _about_keys(stage: Stage, auth: ApiKeyAuth, available: Collection[str] | None) -> list[Finding]:
    findings: list[Finding] = []
    if not (isinstance(stage.route, GatewayRoute) and stage.route.controller == "envoy-gateway"):
        message = "only Envoy Gateway knows keys"
        help = "add `controller: envoy-gateway` to the route of such a Gateway, or use `forward`"
        findings.append(Finding("stage", (*_KEYS, "kind"), message, help))
    if stage.secrets != "pulumi" and auth.keys:
        message = "the stage's secrets are not Pulumi's, so no Secret of keys can be made of them"
        help = "make one with an entry per client, `Api-Key KEY`, and write `existing: NAME`"
        findings.append(Finding("stage", (*_KEYS, "keys"), message, help))
        return findings
    findings += [
        missing(key, (*_KEYS, "keys", i), about="stage")
        for i, key in enumerate(auth.keys or ())
        if available is not None and key not in available
    ]
    return findings


def _about_forward(config: Config, stage: Stage) -> list[Finding]:
    route = stage.route
    if isinstance(route, GatewayRoute) and route.controller is None:
        message = "the Gateway API has no words for it, so the Gateway's controller must be known"
        help = "add `controller: envoy-gateway` or `traefik`"
        return [Finding("stage", ("route",), message, help)]
    nginx = isinstance(route, IngressRoute) and route.controller == "nginx"
    if nginx and config.runtime.transport.kind == "grpc":
        message = "ingress-nginx answers gRPC's clients by a page when it lets one not in"
        return [Finding("stage", _KEYS, message, "use a Gateway for a gRPC server")]
    return []
