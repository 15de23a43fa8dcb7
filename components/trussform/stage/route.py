"""The route of requests to the servers: a Gateway, an Ingress controller, or none."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from trussform.schema import Model
from trussform.source import is_mapping
from trussform.stage.names import Label, ObjectName, Port


class GatewayRoute(Model):
    """An HTTPRoute, or a GRPCRoute for gRPC, on a Gateway of the cluster."""

    kind: Literal["gateway"] = "gateway"
    name: ObjectName | None = None
    """The name of the Gateway. Required, unless the program gives it as part of `platform`."""
    namespace: Label | None = None
    """The Gateway's namespace. Default: the server's own."""
    controller: Literal["envoy-gateway", "traefik", "gke"] | None = None
    """The controller that runs the Gateway. Its policies do what the Gateway API cannot: `auth`,
    health checks, and timeouts and limits as on Baseten. Default: only objects of the Gateway
    API."""
    listener: ObjectName | None = None
    """The listener of the Gateway (`sectionName`). Default: all listeners."""
    scheme: Literal["https", "http"] = "https"
    """The scheme of the URLs that Trussform prints. Default: https."""
    port: Port | None = None
    """The port of the URLs that Trussform prints. Default: the scheme's port, 443 or 80."""


class SecretTls(Model):
    """An existing certificate."""

    secret: ObjectName
    """The Secret with the certificate, in the servers' namespace."""


class IssuedTls(Model):
    """A certificate that cert-manager issues for the server's host."""

    issuer: ObjectName
    """The name of the issuer."""
    issuer_kind: Literal["ClusterIssuer", "Issuer"] = "ClusterIssuer"
    """The kind of the issuer. Default: ClusterIssuer."""


def _tls_source(value: Any) -> str:
    issued = "issuer" in value if is_mapping(value) else isinstance(value, IssuedTls)
    return "<issuer>" if issued else "<secret>"


Tls = Annotated[
    Annotated[SecretTls, Tag("<secret>")] | Annotated[IssuedTls, Tag("<issuer>")],
    Discriminator(_tls_source),
]


class IngressRoute(Model):
    """Ingress objects, with the annotations or middlewares of one controller."""

    kind: Literal["ingress"]
    controller: Literal["traefik", "nginx"]
    """The Ingress controller. `nginx` is ingress-nginx."""
    class_name: ObjectName | None = None
    """The Ingress class (`ingressClassName`). Default: the controller's name."""
    scheme: Literal["https", "http"] = "https"
    """The scheme of the URLs that Trussform prints. Default: https."""
    port: Port | None = None
    """The port of the URLs that Trussform prints. Default: the scheme's port, 443 or 80."""
    tls: Tls | None = None
    """The certificate of the host: `{secret: NAME}` or `{issuer: NAME}`. Default: the controller's
    certificate."""


class NoRoute(Model):
    """No route: only clients inside the cluster reach the server."""

    kind: Literal["none"]


Route = Annotated[GatewayRoute | IngressRoute | NoRoute, Field(discriminator="kind")]
