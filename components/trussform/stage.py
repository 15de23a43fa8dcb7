"""What one environment gives to every server: the `trussform:stage` block of a stack file."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from trussform.config.base_image import image_reference
from trussform.config.config import VariableName
from trussform.config.resources import ACCELERATORS, quantity
from trussform.config.runtime import WEEK
from trussform.schema import Int, Model, refuse

Dialect = Literal["gpu-feature-discovery", "gke", "eks", "aks", "karpenter"]

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def _dns_label(name: str) -> str:
    if not _DNS_LABEL.fullmatch(name):
        raise refuse(
            f"`{name}` is not a Kubernetes name", "use up to 63 lower-case letters, digits and `-`"
        )
    return name


def _object_name(name: str) -> str:
    if len(name) > 253 or not all(map(_DNS_LABEL.fullmatch, name.split("."))):
        raise refuse(
            f"`{name}` is not a Kubernetes name", "use lower-case letters, digits, `-` and `.`"
        )
    return name


def _domain(domain: str) -> str:
    if len(domain) > 190 or not all(map(_DNS_LABEL.fullmatch, domain.split("."))):
        raise refuse(f"`{domain}` is not a domain", "write it as in `models.example.com`")
    return domain


def _qualified(name: str) -> str:
    prefix, slash, last = name.rpartition("/")
    plain = re.fullmatch(r"[a-zA-Z0-9]([-_.a-zA-Z0-9]{0,61}[a-zA-Z0-9])?", last)
    if not plain or (slash and not all(map(_DNS_LABEL.fullmatch, prefix.split(".")))):
        raise refuse(f"`{name}` is no name of a label or resource", "write it as `example.com/gpu`")
    return name


def _accelerator(name: str) -> str:
    if name not in ACCELERATORS:
        raise refuse(f"unknown accelerator `{name}`", f"use one of {', '.join(ACCELERATORS)}")
    return name


def _label_value(value: str) -> str:
    if not re.fullmatch(r"[a-zA-Z0-9]([-_.a-zA-Z0-9]{0,61}[a-zA-Z0-9])?", value):
        raise refuse(f"`{value}` is no value of a label", "use letters, digits, `-`, `_` and `.`")
    return value


def _digest(digest: str) -> str:
    if not _DIGEST.fullmatch(digest):
        raise refuse("this is no digest", "write sha256: and 64 hex digits")
    return digest


def _digested(image: str) -> str:
    if not _DIGEST.fullmatch(image_reference(image).partition("@")[2]):
        raise refuse(f"`{image}` names no digest", "write repository@sha256:…")
    return image


def _registry(registry: str) -> str:
    image_reference(f"{registry.rstrip('/')}/server")
    return registry.rstrip("/")


def _path(path: str) -> str:
    if "\0" in path or any(len(part.encode()) > 255 for part in path.split("/")):
        raise refuse("no file can have this name", "write the path of a folder")
    return path


Label = Annotated[str, AfterValidator(_dns_label)]
ObjectName = Annotated[str, AfterValidator(_object_name)]
Qualified = Annotated[str, AfterValidator(_qualified)]
AcceleratorName = Annotated[str, AfterValidator(_accelerator)]
LabelValue = Annotated[str, AfterValidator(_label_value)]
Digest = Annotated[str, AfterValidator(_digest)]
Port = Annotated[Int, Field(ge=1, le=65_535)]
AccessMode = Literal["ReadWriteOnce", "ReadWriteMany"]


class GatewayRoute(Model):
    """An HTTPRoute, or for gRPC a GRPCRoute, on a Gateway of the cluster."""

    kind: Literal["gateway"] = "gateway"
    name: ObjectName | None = None
    """The Gateway. Required, unless `placement` gives it."""
    namespace: Label | None = None
    """The Gateway's namespace. Default: the server's own."""
    listener: ObjectName | None = None
    """The Gateway's listener (`sectionName`). Default: all of them."""
    scheme: Literal["https", "http"] = "https"
    """What clients use, for the URLs that are printed."""
    port: Port | None = None
    """The port that clients use, for the same. Default: the scheme's own."""


class IngressRoute(Model):
    """Ingress objects, for a controller whose way of rewriting paths is known."""

    kind: Literal["ingress"]
    controller: Literal["traefik", "nginx"]
    class_name: ObjectName | None = None
    """`ingressClassName`. Default: the controller's name."""
    scheme: Literal["https", "http"] = "https"
    """What clients use, for the URLs that are printed."""
    port: Port | None = None
    """The port that clients use, for the same. Default: the scheme's own."""


class NoRoute(Model):
    """The server is reached inside the cluster only."""

    kind: Literal["none"]


Route = Annotated[GatewayRoute | IngressRoute | NoRoute, Field(discriminator="kind")]


class Gpu(Model):
    """How this cluster marks its GPU nodes."""

    dialect: Dialect = "gpu-feature-discovery"
    """Whose node labels tell the kind of GPU."""
    label: Qualified | None = None
    """A node label of the cluster's own, in place of the dialect's."""
    products: dict[AcceleratorName, list[LabelValue]] = Field(default_factory=dict)
    """Values of the label by accelerator, before the dialect's: `L4: [my-l4]`."""
    resource: Qualified = "nvidia.com/gpu"


class ClaimStorage(Model):
    """A PersistentVolumeClaim per server, made and deleted with it."""

    kind: Literal["claim"] = "claim"
    size: Annotated[str, AfterValidator(quantity)] = "100Gi"
    """What it asks for; a model's files and half as much again are a good guess."""
    storage_class: ObjectName | None = None
    """Default: the cluster's."""
    access_mode: AccessMode = "ReadWriteOnce"
    """`ReadWriteMany` where replicas are on several nodes."""


class ExistingStorage(Model):
    """A PersistentVolumeClaim that is there already; servers with the same weights share them."""

    kind: Literal["existing"]
    claim: ObjectName
    access_mode: AccessMode = "ReadWriteOnce"
    """What the claim can."""


class NodeStorage(Model):
    """The disk of the node, which root fetches onto; each node has its own."""

    kind: Literal["node"]
    path: Annotated[str, Field(pattern=r"^/[-_.a-zA-Z0-9/]+$")] = "/var/lib/trussform/weights"


Storage = ClaimStorage | ExistingStorage | NodeStorage


class Weights(Model):
    """Where the weights of a config are kept, and what fetches them."""

    storage: Annotated[Storage, Field(discriminator="kind")] = ClaimStorage()
    image: Annotated[str, AfterValidator(image_reference)] = "kserve/storage-initializer:v0.20.0"
    """An image with Python, huggingface_hub and the SDKs of the clouds; KServe's has all."""
    environment_variables: dict[VariableName, str] = Field(default_factory=dict)
    """For what fetches: `HF_ENDPOINT` of a mirror, `AWS_ENDPOINT_URL_S3`, `HTTPS_PROXY`."""


class Deadlines(Model):
    """How long each part of a rollout may take, in seconds."""

    provisioning: Int = Field(default=900, ge=0, le=WEEK)
    """A node with the GPU appears."""
    weights: Int = Field(default=3600, ge=0, le=WEEK)
    """The weights are fetched, where a config has any; their size is not known before."""
    pull: Int = Field(default=900, ge=0, le=WEEK)
    """The node pulls the image."""
    startup: Int | None = Field(default=None, ge=1, le=WEEK)
    """The server starts. Default: the config's `startup_threshold_seconds`, 1,800."""


class ExistingSecret(Model):
    """The secrets are keys of a Secret that somebody else makes."""

    existing: ObjectName


def _source_of_secrets(value: Any) -> str:
    return "pulumi" if isinstance(value, str) else "existing"


Secrets = Annotated[
    Annotated[Literal["pulumi"], Tag("pulumi")] | Annotated[ExistingSecret, Tag("existing")],
    Discriminator(_source_of_secrets),
]


class Server(Model):
    """One server of the stage: where its config is, and what is different here."""

    path: Annotated[str, AfterValidator(_path)]
    """The folder of its `config.yaml`, or the file; relative to the project's folder."""
    config: dict[str, Any] = Field(default_factory=dict)
    """Changes to the config, as a JSON Merge Patch: lists replace, null deletes."""
    replicas: Int | None = Field(default=None, ge=0, le=1000)
    """Default: the stage's."""
    spare_gpus: Int | None = Field(default=None, ge=0, le=1000)
    """Default: the stage's."""
    weights: Weights | None = None
    """Default: the stage's."""
    image: Annotated[str, AfterValidator(_digested)] | None = None
    """A finished image by digest; it runs as it is, and nothing is looked up or built."""


class Stage(Model):
    """The platform team's side: one per environment."""

    environment: Label
    """The `{env}` of the URLs."""
    namespace: Label = "default"
    create_namespace: bool = True
    """Whether the program makes the namespace; `default` is never made."""

    render_to: Annotated[str, Field(min_length=1)] | None = None
    """A folder for YAML: nothing is looked up, built or applied. For looking, not for serving."""

    registry: Annotated[str, AfterValidator(_registry)] | None = None
    """Where built images are pushed: `registry.example.com/models`."""
    builder: Literal["docker", "buildkit", "none"] = "docker"
    """`docker`: the machine's Docker daemon. `buildkit`: its buildx builder, with caches and the
    secrets of a build (`pip install trussform[buildkit]`). `none`: nothing is built."""
    tags: Literal["follow", "locked"] = "follow"
    """`follow`: base tags are looked up at every up. `locked`: the lock file has the digests."""
    digests: dict[str, Digest] = Field(default_factory=dict)
    """Digest by base image; read from the lock file, seldom written by hand."""
    pull_secret: ObjectName | None = None
    """An existing Secret with the registry's login."""

    route: Route = GatewayRoute()
    domain: Annotated[str, AfterValidator(_domain)] | None = None
    """Servers are `{server}.{domain}`."""
    auth: Literal["none"] | None = None
    """Who may call a route. Only `none`, everybody who reaches the gateway, exists so far."""
    request_timeout: Int | None = Field(default=None, ge=1, le=86_400)
    """Seconds that a request may take, streams included. Default: the route cuts nothing,
    and a pod that stops waits 600 s for its requests."""

    replicas: Int = Field(default=1, ge=0, le=1000)
    spare_gpus: Int = Field(default=0, ge=0, le=1000)
    """GPUs of a server's kind that are free for a rollout."""
    gpu: Gpu = Gpu()
    weights: Weights = Weights()
    network_policy: Literal["kubernetes", "cilium"] = "kubernetes"
    """What the cluster's network understands; Cilium alone can restrict egress to names."""
    deadlines: Deadlines = Deadlines()
    service_account: ObjectName | None = None
    """An existing ServiceAccount with an identity in a cloud, for stores and registries that
    take no secret. Default: the namespace's own, without a token."""

    secrets: Secrets = "pulumi"
    """`pulumi`: values from `trussform:secrets`. `existing`: a Secret that is there already."""
    secrets_version: str | None = None
    """Change it to roll the pods after an existing Secret has changed."""

    servers: dict[str, Server] = Field(default_factory=dict)
    """The servers by name; the name is the host, and the name of every object."""

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
