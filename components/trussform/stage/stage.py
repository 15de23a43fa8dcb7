"""The settings of one environment: the `trussform:stage` block of a stack file."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from trussform.config.runtime import WEEK
from trussform.problem import FieldPath, Key
from trussform.schema import Int, Model, invalid
from trussform.stage.auth import Auth
from trussform.stage.gpu import Gpu
from trussform.stage.ingress import Peer
from trussform.stage.names import (
    Digest,
    Digested,
    Domain,
    Label,
    ObjectName,
    Path,
    Registry,
    ServerName,
)
from trussform.stage.route import GatewayRoute, Route
from trussform.stage.secrets import Secrets
from trussform.stage.storage import Weights


class Deadlines(Model):
    """The longest time of each part of a rollout, in seconds."""

    provisioning: Int = Field(default=900, ge=0, le=WEEK)
    """A node with the GPU appears."""
    weights: Int = Field(default=3600, ge=0, le=WEEK)
    """The weights are fetched, where a config has any; their size is not known before."""
    pull: Int = Field(default=900, ge=0, le=WEEK)
    """The node pulls the image."""
    startup: Int | None = Field(default=None, ge=1, le=WEEK)
    """The server starts. Default: the config's `startup_threshold_seconds`, 1,800."""
    drain: Int | None = Field(default=None, ge=0, le=WEEK)
    """A stopping pod finishes its requests. Default: `request_timeout`, else 600; for the
    transports `websocket` and `grpc` at least 3,600."""


class Server(Model):
    """One server of the stage: where its config is, and what is different here."""

    path: Path
    """The folder of its `config.yaml`, or the file; relative to the project's folder."""
    config: dict[str, Any] = Field(default_factory=dict)
    """Changes to the config, as a JSON Merge Patch: lists replace, null deletes."""
    replicas: Int | None = Field(default=None, ge=0, le=1000)
    """Default: the stage's."""
    spare_gpus: Int | None = Field(default=None, ge=0, le=1000)
    """Default: the stage's."""
    weights: Weights | None = None
    """Default: the stage's."""
    auth: Auth | None = None
    """Default: the stage's."""
    image: Digested | None = None
    """A finished image by digest. It runs as it is; nothing is looked up or built."""


class Settings(Model):
    """The settings of an environment that apply to each of its servers."""

    renamed: ClassVar[Mapping[str, str]] = {"peers": "ingress_from"}

    environment: Label
    """The `{env}` of the URLs."""
    namespace: Label = "default"
    create_namespace: bool = True
    """True if the program creates the namespace. It never creates `default`. Of two stacks that
    share a namespace, one creates it."""

    render_to: Annotated[str, Field(min_length=1)] | None = None
    """A folder for YAML. Nothing is looked up, built or applied."""

    registry: Registry | None = None
    """The registry that built images are pushed to: `registry.example.com/models`."""
    builder: Literal["docker", "buildkit", "none"] = "docker"
    """`docker`: the machine's Docker daemon. `buildkit`: its buildx builder, with caches and the
    secrets of a build (`pip install trussform[buildkit]`). `none`: nothing is built."""
    tags: Literal["follow", "locked"] = "follow"
    """`follow`: each deploy looks tags up. `locked`: the lock file has the digests."""
    digests: dict[str, Digest] = Field(default_factory=dict)
    """Digest by image; read from the lock file, seldom written by hand."""
    pull_secret: ObjectName | None = None
    """An existing Secret with the registry's login."""

    route: Route = GatewayRoute()
    domain: Domain | None = None
    """Servers are `{server}.{domain}`."""
    auth: Auth | None = None
    """The callers of a route: `{kind: api-key, keys: [CLIENT]}`, `{kind: forward, service: …}`, or
    `none`, which admits every caller of the gateway. A route needs one of them."""
    ingress_from: list[Peer] | None = None
    """The sources that may connect to the pods: `[{namespace: NAME}, {cidr: RANGE}]`. The node's
    own checks always may. Default: every pod of the cluster."""
    request_timeout: Int | None = Field(default=None, ge=1, le=86_400)
    """Seconds that a request may take, streams included. Default: the route cuts nothing,
    and a pod that stops waits `deadlines.drain` for its requests."""

    replicas: Int = Field(default=1, ge=0, le=1000)
    spare_gpus: Int = Field(default=0, ge=0, le=1000)
    """GPUs of a server's kind that are free for a rollout."""
    gpu: Gpu = Gpu()
    weights: Weights = Weights()
    network_policy: Literal["kubernetes", "cilium"] = "kubernetes"
    """The policies that the cluster's network enforces; only Cilium restricts egress to names."""
    deadlines: Deadlines = Deadlines()
    service_account: ObjectName | None = None
    """An existing ServiceAccount with an identity in a cloud, for stores and registries that
    take no secret. Default: the namespace's own, without a token."""

    secrets: Secrets = "pulumi"
    """`pulumi`: values from `trussform:secrets`. `{existing: NAME}`: a Secret that is there
    already. `{store: NAME}`: the External Secrets Operator makes one."""
    secrets_version: str | None = None
    """Change it to roll the pods after a Secret that is not Pulumi's has changed; from a store the
    new pods get what it has then."""


class ServerStage(Settings):
    """The settings for one server: the stage's, with the server's own in their place."""

    server: str
    listed: bool
    """True if `servers` of the stage has the server."""
    own: frozenset[str]
    """The fields that the server sets itself."""
    image: Digested | None
    """The finished image that the stage names for the server."""

    def path(self, *path: Key) -> FieldPath:
        """Returns the path in the stage of a field that the server may set itself."""
        return ("servers", self.server, *path) if path[0] in self.own else path


_OVERRIDES = ("replicas", "spare_gpus", "weights", "auth")
"""The fields of a stage that a server may set itself."""


class Stage(Settings):
    """The platform team's side: one per environment."""

    servers: dict[ServerName, Server] = Field(default_factory=dict)
    """The servers by name; the name is the host, and the name of every object."""

    @model_validator(mode="after")
    def _offline_secrets(self) -> "Stage":
        if self.render_to is not None and self.secrets == "pulumi":
            raise invalid(
                "`render_to` writes files, and a Pulumi secret would be in them in plain text",
                "add `secrets: {existing: NAME}`",
            )
        return self

    def for_server(self, name: str) -> ServerStage:
        """Returns the settings for the server `name`; the stage's alone if it is not listed."""
        server = self.servers.get(name)
        set_here = {field: getattr(server, field, None) for field in _OVERRIDES}
        own = {field: value for field, value in set_here.items() if value is not None}
        values = {field: getattr(self, field) for field in Settings.model_fields}
        # Without validation, as the stage has passed it.
        return ServerStage.model_construct(
            **{**values, **own},
            server=name,
            listed=server is not None,
            own=frozenset(own),
            image=server.image if server else None,
        )
