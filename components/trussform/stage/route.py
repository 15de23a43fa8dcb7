"""The route of requests to the servers: a Gateway, an Ingress controller, or none."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from trussform.schema import Model
from trussform.source import is_mapping
from trussform.stage.names import Label, ObjectName, Port


class GatewayRoute(Model):
    """An HTTPRoute, or for gRPC a GRPCRoute, on a Gateway of the cluster."""

    kind: Literal["gateway"] = "gateway"
    name: ObjectName | None = None
    """The Gateway. Required, unless the platform gives it."""
    namespace: Label | None = None
    """The Gateway's namespace. Default: the server's own."""
    controller: Literal["envoy-gateway", "traefik"] | None = None
    """The program behind the Gateway. Trussform uses its own objects for `auth` and for limits."""
    listener: ObjectName | None = None
    """The Gateway's listener (`sectionName`). Default: all of them."""
    scheme: Literal["https", "http"] = "https"
    """The scheme of the printed URLs."""
    port: Port | None = None
    """The port that clients use, for the same. Default: the scheme's own."""


class SecretTls(Model):
    """An existing certificate: a Secret in the server's namespace."""

    secret: ObjectName


class IssuedTls(Model):
    """A certificate of cert-manager's, made for the host."""

    issuer: ObjectName
    issuer_kind: Literal["ClusterIssuer", "Issuer"] = "ClusterIssuer"


def _way(value: Any) -> str:
    named = "issuer" in value if is_mapping(value) else isinstance(value, IssuedTls)
    return "an issuer" if named else "a Secret"


Tls = Annotated[
    Annotated[SecretTls, Tag("a Secret")] | Annotated[IssuedTls, Tag("an issuer")],
    Discriminator(_way),
]


class IngressRoute(Model):
    """Ingress objects, for a controller whose way of rewriting paths is known."""

    kind: Literal["ingress"]
    controller: Literal["traefik", "nginx"]
    class_name: ObjectName | None = None
    """`ingressClassName`. Default: the controller's name."""
    scheme: Literal["https", "http"] = "https"
    """The scheme of the printed URLs."""
    port: Port | None = None
    """The port that clients use, for the same. Default: the scheme's own."""
    tls: Tls | None = None
    """The host's certificate: `{secret: NAME}` or `{issuer: NAME}`. Default: the controller's."""


class NoRoute(Model):
    """The server is reached inside the cluster only."""

    kind: Literal["none"]


Route = Annotated[GatewayRoute | IngressRoute | NoRoute, Field(discriminator="kind")]
