"""Names, ports and folders of the cluster, in one place."""

import os
from pathlib import Path

from testbed.settings import VARIABLE, Images, Keda, PrivateRegistry, Settings

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trussform-cluster"
"""Programs and the root file system of the base image, which are built once."""
BIN = CACHE / "bin"
CHECKOV_HOME = CACHE / "checkov"
CLIENTS_HOME = CACHE / "clients"
ROOTFS = CACHE / "rootfs"

HOME = Path("/var/lib/trussform-cluster")
"""The keys, configuration, data and logs of one cluster."""
KEPT = HOME / "kept"
"""There while somebody wants the cluster to stay."""
PKI = HOME / "pki"
ETC = HOME / "etc"
DATA = HOME / "data"
LOG = HOME / "log"
RUN = Path("/run/trussform-cluster")

KUBECONFIG = HOME / "kubeconfig"
SETTINGS_FILE = HOME / "cluster.yaml"
CA_BUNDLE = HOME / "ca-bundle.crt"
SYSTEM_CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")

REGISTRY = "localhost:5443"
PRIVATE_REGISTRY, LOGIN = "localhost:5444", "puller:let me in"
"""The same images, for those who log in."""
GOOGLE_KEY = '{"type": "service_account"}'
"""The password of `_json_key`, another who may."""
BASE_IMAGE = f"{REGISTRY}/base/python:3"
USER_IMAGE = f"{REGISTRY}/base/user:3"
BARE_IMAGE = f"{REGISTRY}/base/bare:1"
NGINX_IMAGE = f"{REGISTRY}/base/nginx:1"
PAUSE_IMAGE = f"{REGISTRY}/pause:1"
DOCKER_SOCKET = RUN / "docker.sock"
CONTAINERD_SOCKET = RUN / "containerd.sock"
BUILDKIT_SOCKET = RUN / "buildkitd.sock"
BUILDX = HOME / "buildx"
"""A folder of Docker's settings that knows one builder, `trussform`."""

NODE = "trussform"
BRIDGE = "trussform0"
NODE_IP = "10.244.0.1"
"""The bridge's own address, so that the kubelet never listens on the machine's network."""
POD_CIDR = "10.244.0.0/24"
SERVICE_CIDR = "10.96.0.0/16"
API_PORT = 6443
ETCD_PORT, ETCD_PEER_PORT = 12379, 12380
GATEWAY_PORT, GATEWAY_ADMIN_PORT, GATEWAY_TLS_PORT = 8000, 8001, 8443
ENVOY_PORT, ENVOY_ADMIN_PORT = 8002, 8003
NGINX_PORT, NGINX_TLS_PORT = 8010, 8444
OPERATOR_PORT = 8004
"""The port of the External Secrets Operator's health check."""
CERTIFICATES_PORT = 8005
"""The port of cert-manager's health check."""
ENVOY_METRICS_PORT = 19001
"""The port of Envoy's metrics, by Envoy Gateway's choice."""
KEDA_HEALTH_PORT, KEDA_METRICS_PORT = 8006, 8007
"""The ports of the operator's health check and of the adapter's own metrics."""
KEDA_SERVICE_PORT, KEDA_API_PORT = 9666, 6445
"""The ports at which the operator tells the adapter a load, and the adapter the API server."""
INTERCEPTOR_PORT, INTERCEPTOR_ADMIN_PORT = 8020, 8021
SCALER_PORT = 9090
"""The port at which KEDA asks its HTTP add-on, by the name of a Service."""
PROMETHEUS_PORT = 8022
NAMES = HOME / "names"
"""Files of addresses and names, as in /etc/hosts, for those who ask a server of names."""
GPUS = 4

SETTINGS = Settings(
    registry=f"{REGISTRY}/models",
    images=Images(python=BASE_IMAGE, user=USER_IMAGE, bare=BARE_IMAGE),
    gateways={
        "traefik": f"http://127.0.0.1:{GATEWAY_PORT}",
        "traefik_tls": f"https://127.0.0.1:{GATEWAY_TLS_PORT}",
        "envoy": f"http://127.0.0.1:{ENVOY_PORT}",
        "nginx": f"http://127.0.0.1:{NGINX_PORT}",
        "nginx_tls": f"https://127.0.0.1:{NGINX_TLS_PORT}",
    },
    private_registry=PrivateRegistry(
        images=f"{PRIVATE_REGISTRY}/models",
        login=LOGIN,
        google_key=GOOGLE_KEY,
        nodes_have_a_login=True,
    ),
    hosts_file=Path("/etc/hosts"),
    names_folder=NAMES,
    buildx_config=BUILDX,
    scanners=BIN,
    clients_python=CLIENTS_HOME / "bin/python",
    enforces_network_policies=True,
    has_external_secrets=True,
    has_cert_manager=True,
)
KEDA_SETTINGS = Keda(prometheus=f"http://127.0.0.1:{PROMETHEUS_PORT}")
"""A part of the settings if KEDA is built."""

ENVIRONMENT = {
    "KUBECONFIG": str(KUBECONFIG),
    "DOCKER_HOST": f"unix://{DOCKER_SOCKET}",
    "SSL_CERT_FILE": str(CA_BUNDLE),
    "REQUESTS_CA_BUNDLE": str(CA_BUNDLE),
    VARIABLE: str(SETTINGS_FILE),
    "PATH": f"{BIN}:{os.environ['PATH']}",
}
"""The variables of a shell that uses the cluster."""
