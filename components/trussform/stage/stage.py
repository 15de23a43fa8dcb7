"""The settings of one environment: the `trussform:stage` block of a stack file."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import Discriminator, Field, Tag, model_validator

from trussform.config.runtime import WEEK
from trussform.problem import FieldPath, Key
from trussform.schema import Int, Model, invalid, number_or, text_or_number
from trussform.stage.auth import Auth
from trussform.stage.autoscaling import Autoscaling
from trussform.stage.gpu import Gpu
from trussform.stage.ingress import Peer
from trussform.stage.names import (
    Digest,
    Domain,
    ImageByDigest,
    Label,
    ObjectName,
    Path,
    Registry,
    ServerName,
)
from trussform.stage.pod import Amounts, Pod
from trussform.stage.route import GatewayRoute, Route
from trussform.stage.secrets import Secrets
from trussform.stage.storage import Weights


class Deadlines(Model):
    """The maximum duration of each part of a rollout, in seconds."""

    provisioning: Int = Field(default=900, ge=0, le=WEEK)
    """Seconds until a node with the GPU is ready. Default: 900."""
    weights: Int = Field(default=3600, ge=0, le=WEEK)
    """Seconds to download the weights of a config that has any. Default: 3,600."""
    pull: Int = Field(default=900, ge=0, le=WEEK)
    """Seconds to pull the image. Default: 900."""
    startup: Int | None = Field(default=None, ge=1, le=WEEK)
    """Seconds until the server is ready. Default: `startup_threshold_seconds` of the config, which
    is 1,800 by default."""
    drain: Int | None = Field(default=None, ge=0, le=WEEK)
    """Seconds that a stopping pod may take to finish its requests. Default: `request_timeout`, or
    600 without one; at least 3,600 for the transports `websocket` and `grpc`."""


Replicas = Annotated[
    Annotated[Literal["autoscaled"], Tag("<text>")]
    | Annotated[Annotated[Int, Field(ge=0, le=1000)], Tag("<number>")],
    Discriminator(text_or_number),
    number_or("autoscaled"),
]


class Server(Model):
    """One server of the stage: the path of its config, and its own settings."""

    path: Path
    """The config, or the folder with its `config.yaml`, relative to the project's folder."""
    config: dict[str, Any] = Field(default_factory=dict)
    """Changes to the config as a JSON Merge Patch (RFC 7396): lists replace, null deletes. Default:
    none."""
    replicas: Replicas | None = None
    """The number of pods, or `autoscaled`. It switches the stage's `autoscaling` off for this
    server. Default: the stage's."""
    autoscaling: Autoscaling | None = None
    """The server's own fields of `autoscaling`; the stage's apply to the rest. Default: the
    stage's."""
    spare_gpus: Int | None = Field(default=None, ge=0, le=1000)
    """Free GPUs of the server's kind that a rollout may use. Default: the stage's."""
    weights: Weights | None = None
    """The volume and the init container of the weights. Default: the stage's."""
    auth: Auth | None = None
    """The authentication of requests. Default: the stage's."""
    pod: Pod = Pod()
    """The server's own parts of the pod, merged into the stage's. Default: the stage's."""
    image: ImageByDigest | None = None
    """A finished image with its digest. Trussform runs it as it is, and builds nothing. Default:
    none."""

    @model_validator(mode="after")
    def _check_replicas(self) -> "Server":
        if self.replicas is not None and self.autoscaling is not None:
            raise _two_owners()
        return self


class Settings(Model):
    """The settings of an environment that apply to each of its servers."""

    renamed: ClassVar[Mapping[str, str]] = {
        "peers": "ingress_from",
        "service_account": "pod.service_account",
    }

    environment: Label
    """The name of the environment, `{env}` in the URLs: `production`."""
    namespace: Label = "default"
    """The Kubernetes namespace of the servers. Default: `default`."""
    create_namespace: bool = True
    """True if the program creates the namespace, except `default`. If two stacks share a namespace,
    set it to false in one of them. Default: true."""

    render_to: Annotated[str, Field(min_length=1)] | None = None
    """A folder that Trussform writes YAML to, in place of a deploy. It builds nothing and resolves
    no tags. Default: none."""

    registry: Registry | None = None
    """The registry for built images: `registry.example.com/models`. Required for a build."""
    builder: Literal["docker", "buildkit", "none"] = "docker"
    """The builder of images. `docker`: the machine's Docker daemon. `buildkit`: its buildx builder,
    which supports caches and build secrets (`pip install trussform[buildkit]`). `none`: Trussform
    builds nothing. Default: docker."""
    tags: Literal["follow", "locked"] = "follow"
    """The source of images' digests. `follow`: each deploy resolves the tags. `locked`: the lock
    file has the digests. Default: follow."""
    digests: dict[str, Digest] = Field(default_factory=dict)
    """Digests by image. They take precedence over the lock file and over the images' tags. Default:
    none."""
    pull_secret: ObjectName | None = None
    """An existing Secret with the login to the registry, for `imagePullSecrets`. Default: none."""

    route: Route = GatewayRoute()
    """The route of requests from outside the cluster. Default: a Gateway."""
    domain: Domain | None = None
    """The domain of the servers' hosts, `{server}.{domain}`. Required for a route."""
    auth: Auth | None = None
    """The authentication of requests: `{kind: api-key, keys: [CLIENT]}`, `{kind: forward, service:
    …}`, or `none`, which accepts all requests. Required for a route."""
    ingress_from: list[Peer] | None = None
    """The sources that may connect to the pods: `[{namespace: NAME}, {cidr: RANGE}]`. The probes of
    the node are always allowed. Default: every pod of the cluster."""
    request_timeout: Int | None = Field(default=None, ge=1, le=86_400)
    """Seconds that a request or a stream may take. Default: no limit; a stopping pod waits
    `deadlines.drain` seconds for its requests."""

    replicas: Replicas = 1
    """The number of pods of each server. `autoscaled`: an autoscaler of yours owns the number.
    Default: 1."""
    autoscaling: Autoscaling | None = None
    """A number of pods that follows the load, in place of `replicas`. KEDA sets the number.
    Default: none."""
    spare_gpus: Int = Field(default=0, ge=0, le=1000)
    """Free GPUs of a server's kind that a rollout may use. Without enough of them, an old pod stops
    before its replacement starts. Default: 0."""
    gpu: Gpu = Gpu()
    """The labels, taints and resources of the GPU nodes."""
    pod: Pod = Pod()
    """The parts of every pod that the cluster demands and the config does not have."""
    weights: Weights = Weights()
    """The volume and the init container of the weights."""
    network_policy: Literal["kubernetes", "cilium"] = "kubernetes"
    """The kind of network policies that the cluster enforces. Only `cilium` can allow egress by
    domain name. Default: kubernetes."""
    deadlines: Deadlines = Deadlines()
    """The maximum duration of each part of a rollout, in seconds."""

    secrets: Secrets = "pulumi"
    """The source of secrets. `pulumi`: the values of `trussform:secrets`. `{existing: NAME}`: an
    existing Secret. `{store: NAME}`: the External Secrets Operator creates a Secret from a store.
    Default: pulumi."""
    secrets_version: str | None = None
    """Any text. A change replaces the pods, which then read new values of an existing Secret or of
    a store. Pulumi's secrets do not need it. Default: none."""


class ServerStage(Settings):
    """The settings of the stage for one server, with the server's own in place of the stage's."""

    server: str
    """The name of the server."""
    listed: bool
    """True if the stage lists the server in `servers`."""
    own: frozenset[FieldPath]
    """The paths of the fields that the server sets itself: `("replicas",)`, `("pod", "labels")`."""
    image: ImageByDigest | None
    """The finished image of the server; None if the image comes from the config."""

    def path(self, *path: Key) -> FieldPath:
        """Returns the path of a field in the stage: below the server if the server sets it."""
        own = any(path[: length + 1] in self.own for length in range(len(path)))
        return ("servers", self.server, *path) if own else path


_OVERRIDES = ("replicas", "spare_gpus", "weights", "auth")
"""The fields of a stage that a server may set itself."""


class Stage(Settings):
    """The settings of one environment, and its servers."""

    servers: dict[ServerName, Server] = Field(default_factory=dict)
    """The servers by name. The name is part of the host and of the names of all objects. Default:
    none."""

    @model_validator(mode="after")
    def _check_secrets(self) -> "Stage":
        if self.render_to is not None and self.secrets == "pulumi":
            message = "`render_to` would write Pulumi's secrets to files in plain text"
            raise invalid(message, "add `secrets: {existing: NAME}`")
        return self

    @model_validator(mode="after")
    def _check_replicas(self) -> "Stage":
        if "replicas" in self.model_fields_set and self.autoscaling is not None:
            raise _two_owners()
        return self

    def for_server(self, name: str) -> ServerStage:
        """Returns the settings for the server `name`; the stage's if `servers` does not list it."""
        server = self.servers.get(name)
        settings = {field: getattr(server, field, None) for field in _OVERRIDES}
        own = {field: value for field, value in settings.items() if value is not None}
        values = {field: getattr(self, field) for field in Settings.model_fields}
        values |= {**own, "pod": self.pod.merged(server.pod) if server else self.pod}
        values["autoscaling"] = self._autoscaling(server)
        # No validation: the stage is already valid.
        return ServerStage.model_construct(
            None,
            **values,
            server=name,
            listed=server is not None,
            own=frozenset([*((field,) for field in own), *self._paths(server)]),
            image=server.image if server else None,
        )

    def _autoscaling(self, server: Server | None) -> Autoscaling | None:
        """Returns the autoscaling of a server; None if its number of pods is fixed."""
        own = server.autoscaling if server else None
        if own is None:
            return None if server and server.replicas is not None else self.autoscaling
        return self.autoscaling.merged(own) if self.autoscaling else own

    def _paths(self, server: Server | None) -> Iterator[FieldPath]:
        """Yields the path of each field that a server sets in its own `pod` and `autoscaling`."""
        if server is None:
            return
        yield from _pod_paths(server.pod)
        if server.autoscaling and not self.autoscaling:
            yield ("autoscaling",)
        elif server.autoscaling:
            yield from (("autoscaling", field) for field in server.autoscaling.model_fields_set)


def _two_owners() -> Exception:
    """Returns the error for a number of pods that two settings own."""
    fix = "remove one of them; `min_replica` is the smallest number"
    return invalid("`replicas` and `autoscaling` both set the number of pods", fix)


def _pod_paths(pod: Pod) -> Iterator[FieldPath]:
    """Yields the path of each field that a server's own `pod` sets, and of each key of these."""
    for field in pod.model_fields_set:
        value = getattr(pod, field)
        if isinstance(value, Amounts):
            yield from (("pod", field, name) for name in value.model_fields_set)
        elif isinstance(value, dict):
            yield from (("pod", field, str(key)) for key in cast(dict[str, Any], value))
        else:
            yield ("pod", field)
