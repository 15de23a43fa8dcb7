"""What one environment gives to every server: the `trussform:stage` block of a stack file."""

import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from trussform.config.base_image import image_reference
from trussform.schema import Model, refuse

Dialect = Literal["gpu-feature-discovery", "gke", "karpenter"]

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def _dns_label(name: str) -> str:
    if not _DNS_LABEL.fullmatch(name):
        raise refuse(
            f"`{name}` is not a Kubernetes name", "use up to 63 lower-case letters, digits and `-`"
        )
    return name


class GatewayRoute(Model):
    """An HTTPRoute on a Gateway of the cluster."""

    kind: Literal["gateway"] = "gateway"
    name: str | None = None
    """The Gateway. Required, unless `placement` gives it."""
    namespace: str | None = None
    """The Gateway's namespace. Default: the server's own."""
    listener: str | None = None
    """The Gateway's listener (`sectionName`). Default: all of them."""
    scheme: Literal["https", "http"] = "https"
    """What clients use, for the URLs that are printed."""


class IngressRoute(Model):
    """Ingress objects, for a controller whose way of rewriting paths is known."""

    kind: Literal["ingress"]
    controller: Literal["traefik", "nginx"]
    class_name: str | None = None
    """`ingressClassName`. Default: the controller's name."""
    scheme: Literal["https", "http"] = "https"


class NoRoute(Model):
    """The server is reached inside the cluster only."""

    kind: Literal["none"]


Route = Annotated[GatewayRoute | IngressRoute | NoRoute, Field(discriminator="kind")]


class Gpu(Model):
    """How this cluster marks its GPU nodes."""

    dialect: Dialect = "gpu-feature-discovery"
    """Whose node labels tell the kind of GPU."""
    label: str | None = None
    """A node label of the cluster's own, in place of the dialect's."""
    products: dict[str, list[str]] = Field(default_factory=dict)
    """Values of the label by accelerator, before the dialect's: `L4: [my-l4]`."""
    resource: str = "nvidia.com/gpu"


class Deadlines(Model):
    """How long each part of a rollout may take, in seconds."""

    provisioning: int = Field(default=900, ge=0)
    """A node with the GPU appears."""
    pull: int = Field(default=900, ge=0)
    """The node pulls the image."""
    startup: int | None = Field(default=None, ge=1)
    """The server starts. Default: the config's `startup_threshold_seconds`, 1,800."""


class ExistingSecret(Model):
    """The secrets are keys of a Secret that somebody else makes."""

    existing: str

    @field_validator("existing")
    @classmethod
    def _name(cls, name: str) -> str:
        return _dns_label(name)


class Server(Model):
    """One server of the stage: where its config is, and what is different here."""

    path: str
    """The folder of its `config.yaml`, or the file; relative to the project's folder."""
    config: dict[str, Any] = Field(default_factory=dict)
    """Changes to the config, as a JSON Merge Patch: lists replace, null deletes."""
    replicas: int | None = Field(default=None, ge=0)
    """Default: the stage's."""
    spare_gpus: int | None = Field(default=None, ge=0)
    """Default: the stage's."""
    image: str | None = None
    """The finished image by digest, where the stage's builder is `none`."""

    @field_validator("image")
    @classmethod
    def _digested(cls, image: str | None) -> str | None:
        if image is not None and not _DIGEST.fullmatch(image_reference(image).partition("@")[2]):
            raise refuse(f"`{image}` names no digest", "write repository@sha256:…")
        return image


class Stage(Model):
    """The platform team's side: one per environment."""

    environment: str
    """The `{env}` of the URLs."""
    namespace: str = "default"
    create_namespace: bool = True
    """Whether the program makes the namespace; `default` is never made."""

    render_to: str | None = None
    """A folder for YAML: nothing is looked up, built or applied. For looking, not for serving."""

    registry: str | None = None
    """Where built images are pushed: `registry.example.com/models`."""
    builder: Literal["docker", "none"] = "docker"
    tags: Literal["follow", "locked"] = "follow"
    """`follow`: base tags are looked up at every up. `locked`: the lock file has the digests."""
    digests: dict[str, str] = Field(default_factory=dict)
    """Digest by base image; read from the lock file, seldom written by hand."""
    pull_secret: str | None = None
    """An existing Secret with the registry's login."""

    route: Route = GatewayRoute()
    domain: str | None = None
    """Servers are `{server}.{domain}`."""
    auth: Literal["none"] | None = None
    """Who may call a route. Only `none`, everybody who reaches the gateway, exists so far."""
    request_timeout: int | None = Field(default=None, ge=1)
    """Seconds that a request may take, streams included. Default: the route cuts nothing,
    and a pod that stops waits 600 s for its requests."""

    replicas: int = Field(default=1, ge=0)
    spare_gpus: int = Field(default=0, ge=0)
    """GPUs of a server's kind that are free for a rollout."""
    gpu: Gpu = Gpu()
    deadlines: Deadlines = Deadlines()

    secrets: Literal["pulumi"] | ExistingSecret = "pulumi"
    """`pulumi`: values from `trussform:secrets`. `existing`: a Secret that is there already."""
    secrets_version: str | None = None
    """Change it to roll the pods after an existing Secret has changed."""

    servers: dict[str, Server] = Field(default_factory=dict)
    """The servers by name; the name is the host, and the name of every object."""

    @field_validator("environment", "namespace")
    @classmethod
    def _names(cls, name: str) -> str:
        return _dns_label(name)

    @field_validator("domain")
    @classmethod
    def _domain(cls, domain: str | None) -> str | None:
        if domain is not None and not all(map(_DNS_LABEL.fullmatch, domain.split("."))):
            raise refuse(f"`{domain}` is not a domain", "write it as in `models.example.com`")
        return domain

    @field_validator("registry")
    @classmethod
    def _registry(cls, registry: str | None) -> str | None:
        if registry is not None:
            image_reference(f"{registry.rstrip('/')}/server")
        return registry and registry.rstrip("/")

    @field_validator("digests")
    @classmethod
    def _are_digests(cls, digests: dict[str, str]) -> dict[str, str]:
        for image, digest in digests.items():
            if not _DIGEST.fullmatch(digest):
                raise refuse(f"the digest of `{image}` is none", "write sha256: and 64 hex digits")
        return digests

    @model_validator(mode="after")
    def _offline_secrets(self) -> "Stage":
        if self.render_to is not None and self.secrets == "pulumi":
            raise refuse(
                "`render_to` writes files, and a Pulumi secret would stand in them in plain",
                "add `secrets: {existing: NAME}`",
            )
        return self

    def server(self, name: str) -> Server:
        """The stage's entry for a server, or the defaults where it has none."""
        return self.servers.get(name) or Server(path=".")
