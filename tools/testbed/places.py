"""Names, ports and folders of the cluster, in one place."""

import os
from pathlib import Path

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
SERVICE_CIDR = "10.96.0.0/24"
API_PORT = 6443
ETCD_PORT, ETCD_PEER_PORT = 12379, 12380
GATEWAY_PORT, GATEWAY_ADMIN_PORT, GATEWAY_TLS_PORT = 8000, 8001, 8443
ENVOY_PORT, ENVOY_ADMIN_PORT = 8002, 8003
NGINX_PORT, NGINX_TLS_PORT = 8010, 8444
OPERATOR_PORT = 8004
"""The port of the External Secrets Operator's health check."""
CERTIFICATES_PORT = 8005
"""The port of cert-manager's health check."""
NAMES = HOME / "names"
"""Files of addresses and names, as in /etc/hosts, for those who ask a server of names."""
GPUS = 4

ENVIRONMENT = {
    "KUBECONFIG": str(KUBECONFIG),
    "DOCKER_HOST": f"unix://{DOCKER_SOCKET}",
    "SSL_CERT_FILE": str(CA_BUNDLE),
    "REQUESTS_CA_BUNDLE": str(CA_BUNDLE),
    "TRUSSFORM_TEST_REGISTRY": f"{REGISTRY}/models",
    "TRUSSFORM_TEST_PRIVATE_REGISTRY": f"{PRIVATE_REGISTRY}/models",
    "TRUSSFORM_TEST_LOGIN": LOGIN,
    "TRUSSFORM_TEST_GOOGLE_KEY": GOOGLE_KEY,
    "TRUSSFORM_TEST_NODE_LOGIN": "yes",
    "TRUSSFORM_TEST_BASE": BASE_IMAGE,
    "TRUSSFORM_TEST_USER_BASE": USER_IMAGE,
    "TRUSSFORM_TEST_BARE_BASE": BARE_IMAGE,
    "TRUSSFORM_TEST_BUILDX": str(BUILDX),
    "TRUSSFORM_TEST_GATEWAY": f"http://127.0.0.1:{GATEWAY_PORT}",
    "TRUSSFORM_TEST_GATEWAY_TLS": f"https://127.0.0.1:{GATEWAY_TLS_PORT}",
    "TRUSSFORM_TEST_HOSTS": "/etc/hosts",
    "TRUSSFORM_TEST_ENVOY": f"http://127.0.0.1:{ENVOY_PORT}",
    "TRUSSFORM_TEST_NGINX": f"http://127.0.0.1:{NGINX_PORT}",
    "TRUSSFORM_TEST_NGINX_TLS": f"https://127.0.0.1:{NGINX_TLS_PORT}",
    "TRUSSFORM_TEST_NAMES": str(NAMES),
    "TRUSSFORM_TEST_POLICIES": "enforced",
    "TRUSSFORM_TEST_SCANNERS": str(BIN),
    "TRUSSFORM_TEST_CLIENTS": str(CLIENTS_HOME / "bin/python"),
    "TRUSSFORM_TEST_EXTERNAL_SECRETS": "yes",
    "TRUSSFORM_TEST_CERT_MANAGER": "yes",
    "PATH": f"{BIN}:{os.environ['PATH']}",
}
"""The variables of a shell that uses the cluster."""
