"""The types of the stage's arguments. Made by `make docs` from the models of the stage."""

from typing import Any, Literal, Required, TypedDict


class AmountsArgs(TypedDict, total=False):
    """Amounts of resources for each container of the pod."""

    cpu: str
    """Cores: `4`, `500m`. Default: none."""
    memory: str
    """Memory: `10Gi`. Default: none."""
    ephemeral_storage: str
    """Room on the disk of the node (`ephemeral-storage`): `20Gi`. Default: none."""


class AuthArgs(TypedDict, total=False):
    """`api-key`: Clients send an API key as they do to Baseten, and Envoy Gateway compares it.

    A client sends `Authorization: Bearer KEY` or `Authorization: Api-Key KEY`. A gRPC client
    may send either value as `baseten-authorization`. The server does not receive these
    headers.

    `forward`: An auth service decides on each request.

    The gateway calls the service first. If the response is 2xx, the request goes on to the
    server; the client gets any other response. With Envoy Gateway, a service in another
    namespace needs a ReferenceGrant there: from SecurityPolicy in the servers' namespace, to
    Service.
    """

    kind: Required[Literal["api-key", "forward", "none"]]
    """`api-key`: Clients send an API key as they do to Baseten, and Envoy Gateway compares it.

    `forward`: An auth service decides on each request.
    """
    keys: list[str]
    """`api-key`: Secrets of the stack, one per client. A secret's name is the name of the
    client. Its value is the key, without white space."""
    rotating: dict[str, str]
    """`api-key`: A second secret of the stack for a client of `keys`: `{ci: ci_next}`. Both keys
    are valid while the client changes from one to the other. Default: none."""
    existing: str
    """`api-key`: An existing Secret in place of `keys`. It has two entries per client: one with
    the value `KEY`, for `Bearer KEY`, and one with the value `Api-Key KEY`. The entries may
    have any names."""
    service: str
    """`forward`: The name of the auth service's Kubernetes Service."""
    namespace: str
    """`forward`: The namespace of the auth service."""
    port: int
    """`forward`: The port of the auth service. Default: 80."""
    path: str
    """`forward`: The path of the calls. Envoy Gateway appends the path of the request. Default:
    `/`."""
    headers: list[str]
    """`forward`: Headers of the 2xx response that the server receives: `[X-User]`. The auth
    service must set all of them in each 2xx response; otherwise Envoy Gateway passes the
    client's own headers. Default: none."""


class AutoscalingArgs(TypedDict, total=False):
    """The number of pods follows the requests in flight, by KEDA and in Baseten's words."""

    min_replica: int
    """The smallest number of pods. At 0, idle pods go, and the next request waits for a new pod:
    KEDA's HTTP add-on holds it. Default: 0."""
    max_replica: int
    """The largest number of pods. Default: 1."""
    autoscaling_window: int
    """Seconds of load that decide the number of pods, 10 to 3,600. Default: 60."""
    scale_down_delay: int
    """Seconds of lower load before pods stop, 0 to 3,600. Default: 900."""
    max_scale_down_rate: int
    """The share of pods in percent that may stop at once, 1 to 50; part of a pod counts as one.
    Default: 50."""
    concurrency_target: int
    """The requests in flight that one pod shall have. Default: `predict_concurrency` of the
    config, which is 1 by default."""
    target_utilization_percentage: int
    """The share of `concurrency_target` in percent from which pods are added, 1 to 100. Default:
    70."""
    prometheus: str
    """The URL of the Prometheus that reads the metrics of Envoy Gateway or of the servers. From
    `min_replica: 1` on, requests then do not pass KEDA's HTTP add-on. Default: none."""
    add_on_namespace: str
    """The namespace of KEDA's HTTP add-on. Default: `keda`."""
    triggers: list[dict[str, Any]]
    """Further triggers of KEDA's ScaledObject, as they are: `[{type: cron, metadata: …}]`.
    Default: none."""


class DeadlinesArgs(TypedDict, total=False):
    """The maximum duration of each part of a rollout, in seconds."""

    provisioning: int
    """Seconds until a node with the GPU is ready. Default: 900."""
    weights: int
    """Seconds to download the weights of a config that has any. Default: 3,600."""
    pull: int
    """Seconds to pull the image. Default: 900."""
    startup: int
    """Seconds until the server is ready. Default: `startup_threshold_seconds` of the config,
    which is 1,800 by default."""
    drain: int
    """Seconds that a stopping pod may take to finish its requests. Default: `request_timeout`,
    or 600 without one; at least 3,600 for the transports `websocket` and `grpc`."""


class GpuArgs(TypedDict, total=False):
    """The labels, taints and resources of this cluster's GPU nodes."""

    dialect: Literal["gpu-feature-discovery", "gke", "eks", "aks", "karpenter"]
    """The source of the node labels that name the kind of GPU. Default: NVIDIA's GPU feature
    discovery."""
    label: str
    """A node label in place of the dialect's. Default: the dialect's."""
    products: dict[str, list[str]]
    """Values of the node label by accelerator, in place of the dialect's: `{L4: [my-l4]}`.
    Default: none."""
    resource: str
    """The extended resource of a GPU. Default: `nvidia.com/gpu`."""
    resources: dict[str, str]
    """The extended resource by accelerator, in place of `resource`. MIG with the mixed strategy
    has one per size: `{H100_40GB: nvidia.com/mig-3g.40gb}`. Default: none."""
    taint: str
    """The key of the taint of GPU nodes. GPU pods tolerate it with any value and the effect
    `NoSchedule`. Default: `nvidia.com/gpu` for NVIDIA's resources, else the resource's name."""
    tolerations: list["TolerationArgs"]
    """Further taints that GPU pods tolerate: `[{key: dedicated, value: gpu}]`. Default: none."""
    spot: bool
    """True if GPU pods may run on spot nodes: they tolerate the taint that the dialect's cloud
    puts on these. Default: false."""
    runtime_class: str
    """The RuntimeClass of GPU pods: `nvidia` on k3s, RKE2 and Talos. Default: that of `pod`."""


class PeerArgs(TypedDict, total=False):
    """All pods of a namespace.

    All clients in a range of addresses, such as a gateway on the nodes' network.
    """

    namespace: str
    """The name of the namespace."""
    cidr: str
    """The range, or one IP address: `10.0.0.0/8`."""


class PodArgs(TypedDict, total=False):
    """The parts of the pod that a cluster demands and the config does not have.

    A server's own `pod` is merged into the stage's: mappings by key, and all other fields as
    a whole.
    """

    labels: dict[str, str]
    """Labels of the pods: `{kueue.x-k8s.io/queue-name: gpus}`. Default: none."""
    annotations: dict[str, str]
    """Annotations of the pods: `{karpenter.sh/do-not-disrupt: "true"}`. Default: none."""
    node_selector: dict[str, str]
    """Labels that a node must have. Default: none."""
    tolerations: list["TolerationArgs"]
    """Taints that every pod tolerates. `gpu.tolerations` has those of GPU pods. Default: none."""
    priority_class: str
    """The PriorityClass (`priorityClassName`). Default: the cluster's."""
    runtime_class: str
    """The RuntimeClass (`runtimeClassName`). `gpu.runtime_class` has that of GPU pods. Default:
    the node's runtime."""
    service_account: str
    """An existing ServiceAccount that is bound to a cloud identity, for buckets and registries
    without a secret. Default: the namespace's `default` account, without a token."""
    fs_group: int | str
    """The group that owns the volumes (`fsGroup`). `none`: the cluster sets it, as OpenShift
    does. Default: 60000."""
    requests: "AmountsArgs"
    """The requests of the server. They take precedence over `resources` of the config. Default:
    the config's."""
    limits: "AmountsArgs"
    """The limits of each container of the pod. Default: none."""
    termination_grace_period: int
    """Seconds that a stopping pod may take (`terminationGracePeriodSeconds`). Its requests have
    10 seconds less. Default: 10 more than `deadlines.drain`."""


class RouteArgs(TypedDict, total=False):
    """`gateway`: An HTTPRoute, or a GRPCRoute for gRPC, on a Gateway of the cluster.

    `ingress`: Ingress objects, with the annotations or middlewares of one controller.

    `none`: No route: only clients inside the cluster reach the server.
    """

    kind: Literal["gateway", "ingress", "none"]
    """`gateway`: An HTTPRoute, or a GRPCRoute for gRPC, on a Gateway of the cluster.

    `ingress`: Ingress objects, with the annotations or middlewares of one controller.

    `none`: No route: only clients inside the cluster reach the server.
    """
    name: str
    """`gateway`: The name of the Gateway. Required, unless the program gives it as part of
    `platform`."""
    namespace: str
    """`gateway`: The Gateway's namespace. Default: the server's own."""
    controller: Literal["envoy-gateway", "traefik", "gke", "nginx"]
    """`gateway`: The controller that runs the Gateway. Its policies do what the Gateway API
    cannot: `auth`, health checks, and timeouts and limits as on Baseten. Default: only
    objects of the Gateway API.

    `ingress`: The Ingress controller. `nginx` is ingress-nginx.
    """
    listener: str
    """`gateway`: The listener of the Gateway (`sectionName`). Default: all listeners."""
    scheme: Literal["https", "http"]
    """`gateway`, `ingress`: The scheme of the URLs that Trussform prints. Default: https."""
    port: int
    """`gateway`, `ingress`: The port of the URLs that Trussform prints. Default: the scheme's
    port, 443 or 80."""
    class_name: str
    """`ingress`: The Ingress class (`ingressClassName`). Default: the controller's name."""
    tls: "TlsArgs"
    """`ingress`: The certificate of the host: `{secret: NAME}` or `{issuer: NAME}`. Default: the
    controller's certificate."""


class SecretsArgs(TypedDict, total=False):
    """An existing Secret has the values.

    The External Secrets Operator creates the Secret from a store outside the cluster.
    """

    existing: str
    """The Secret, in the servers' namespace. Its keys are the names of the secrets."""
    store: str
    """The name of the store's object."""
    store_kind: Literal["ClusterSecretStore", "SecretStore"]
    """The kind of the store's object. Default: ClusterSecretStore."""
    path: str
    """The text in front of each secret's name in the store: `models/dev/`. Default: none."""
    refresh: str
    """The interval in which the operator reads the store (`refreshInterval`): `30s`, `5m`.
    Default: 1h."""


class ServerArgs(TypedDict, total=False):
    """One server of the stage: the path of its config, and its own settings."""

    config: dict[str, Any]
    """Changes to the config as a JSON Merge Patch (RFC 7396): lists replace, null deletes.
    Default: none."""
    replicas: int | str
    """The number of pods, or `autoscaled`. It switches the stage's `autoscaling` off for this
    server. Default: the stage's."""
    autoscaling: "AutoscalingArgs"
    """The server's own fields of `autoscaling`; the stage's apply to the rest. Default: the
    stage's."""
    spare_gpus: int
    """Free GPUs of the server's kind that a rollout may use. Default: the stage's."""
    weights: "WeightsArgs"
    """The volume and the init container of the weights. Default: the stage's."""
    auth: "AuthArgs"
    """The authentication of requests. Default: the stage's."""
    pod: "PodArgs"
    """The server's own parts of the pod, merged into the stage's. Default: the stage's."""
    image: str
    """A finished image with its digest. Trussform runs it as it is, and builds nothing. Default:
    none."""


class StageArgs(TypedDict, total=False):
    """The settings of one environment, and its servers."""

    environment: Required[str]
    """The name of the environment, `{env}` in the URLs: `production`."""
    namespace: str
    """The Kubernetes namespace of the servers. Default: `default`."""
    render_to: str
    """A folder that Trussform writes YAML to, in place of a deploy. It builds nothing and
    resolves no tags. Default: none."""
    registry: str
    """The registry for built images: `registry.example.com/models`. Required for a build."""
    builder: Literal["docker", "buildkit", "none"]
    """The builder of images. `docker`: the machine's Docker daemon. `buildkit`: its buildx
    builder, which supports caches and build secrets (`pip install trussform[buildkit]`).
    `none`: Trussform builds nothing. Default: docker."""
    tags: Literal["follow", "locked"]
    """The source of images' digests. `follow`: each deploy resolves the tags. `locked`: the lock
    file has the digests. Default: follow."""
    digests: dict[str, str]
    """Digests by image. They take precedence over the lock file and over the images' tags.
    Default: none."""
    pull_secret: str
    """An existing Secret with the login to the registry, for `imagePullSecrets`. Default: none."""
    route: "RouteArgs"
    """The route of requests from outside the cluster. Default: a Gateway."""
    domain: str
    """The domain of the servers' hosts, `{server}.{domain}`. Required for a route."""
    auth: "AuthArgs"
    """The authentication of requests: `{kind: api-key, keys: [CLIENT]}`, `{kind: forward,
    service: …}`, or `none`, which accepts all requests. Required for a route."""
    ingress_from: list["PeerArgs"]
    """The sources that may connect to the pods: `[{namespace: NAME}, {cidr: RANGE}]`. The probes
    of the node are always allowed. Default: every pod of the cluster."""
    request_timeout: int
    """Seconds that a request or a stream may take. Default: no limit; a stopping pod waits
    `deadlines.drain` seconds for its requests."""
    replicas: int | str
    """The number of pods of each server. `autoscaled`: an autoscaler of yours owns the number.
    Default: 1."""
    autoscaling: "AutoscalingArgs"
    """A number of pods that follows the load, in place of `replicas`. KEDA sets the number.
    Default: none."""
    spare_gpus: int
    """Free GPUs of a server's kind that a rollout may use. Without enough of them, an old pod
    stops before its replacement starts. Default: 0."""
    gpu: "GpuArgs"
    """The labels, taints and resources of the GPU nodes."""
    pod: "PodArgs"
    """The parts of every pod that the cluster demands and the config does not have."""
    weights: "WeightsArgs"
    """The volume and the init container of the weights."""
    network_policy: Literal["kubernetes", "cilium"]
    """The kind of network policies that the cluster enforces. Only `cilium` can allow egress by
    domain name. Default: kubernetes."""
    deadlines: "DeadlinesArgs"
    """The maximum duration of each part of a rollout, in seconds."""
    secrets: "SecretsArgs"
    """The source of secrets. `pulumi`: the values of `trussform:secrets`. `{existing: NAME}`: an
    existing Secret. `{store: NAME}`: the External Secrets Operator creates a Secret from a
    store. Default: pulumi."""
    secrets_version: str
    """Any text. A change replaces the pods, which then read new values of an existing Secret or
    of a store. Pulumi's secrets do not need it. Default: none."""


class StorageArgs(TypedDict, total=False):
    """`claim`: One PersistentVolumeClaim per server, created and deleted with the server.

    `existing`: An existing PersistentVolumeClaim. Servers with the same weights share the
    files.

    `node`: A folder on the node's disk. Each node downloads the weights once, as root.

    It is a hostPath volume. A namespace that enforces the Pod Security standard `baseline` or
    `restricted` rejects the pod.
    """

    kind: Literal["claim", "existing", "node"]
    """`claim`: One PersistentVolumeClaim per server, created and deleted with the server.

    `existing`: An existing PersistentVolumeClaim. Servers with the same weights share the
    files.

    `node`: A folder on the node's disk. Each node downloads the weights once, as root.
    """
    size: str
    """`claim`: The size of the claim; plan 1.5 times the size of the model's files. If the files
    do not fit, the init container fails before it downloads anything. Default: 100Gi."""
    storage_class: str
    """`claim`: The StorageClass. Default: the cluster's default class."""
    access_mode: Literal["ReadWriteOnce", "ReadWriteMany"]
    """`claim`: The access mode. Use `ReadWriteMany` if replicas run on several nodes. Default:
    ReadWriteOnce.

    `existing`: The access mode of the claim. Default: ReadWriteOnce.
    """
    claim: str
    """`existing`: The name of the claim, in the servers' namespace."""
    path: str
    """`node`: The absolute path of the folder. Default: /var/lib/trussform/weights."""


class TlsArgs(TypedDict, total=False):
    """An existing certificate.

    A certificate that cert-manager issues for the server's host.
    """

    secret: str
    """The Secret with the certificate, in the servers' namespace."""
    issuer: str
    """The name of the issuer."""
    issuer_kind: Literal["ClusterIssuer", "Issuer"]
    """The kind of the issuer. Default: ClusterIssuer."""


class TolerationArgs(TypedDict, total=False):
    """A taint of nodes that the pod tolerates (Kubernetes: `tolerations`)."""

    key: str
    """The key of the taint. Default: every key, which needs `operator: Exists`."""
    operator: Literal["Equal", "Exists"]
    """`Equal`: the taint has this `value`. `Exists`: the taint has any value. Default: Equal."""
    value: str
    """The value of the taint. Default: the empty value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
    """The effect of the taint. Default: every effect."""
    toleration_seconds: int
    """Seconds that the pod stays on a node with a `NoExecute` taint. Default: no limit."""


class WeightsArgs(TypedDict, total=False):
    """The volume of a config's weights, and the init container that downloads them."""

    storage: "StorageArgs"
    """The volume of the weights. Default: a new claim of 100Gi per server."""
    image: str
    """The image of the init container. It needs Python, huggingface_hub and the SDKs of the
    clouds. Default: KServe's storage initializer."""
    run_as_user_id: int
    """The UID of the init container. If the volume's driver ignores `fs_group`, as NFS and
    CephFS do, set the owner of the volume's folder. Default: `run_as_user_id` of the config,
    or the image's own user."""
    environment_variables: dict[str, str]
    """Variables of the init container: `HF_ENDPOINT` of a mirror, `AWS_ENDPOINT_URL_S3`,
    `HTTPS_PROXY`. Default: none."""
