"""The Gateway API, and Traefik as the controller of Gateways and Ingresses."""

import json

from testbed.kubernetes import apply, define, kubectl
from testbed.places import BIN, GATEWAY_ADMIN_PORT, GATEWAY_PORT, GATEWAY_TLS_PORT, KUBECONFIG
from testbed.processes import start, stop, succeeds
from testbed.programs import gateway_api, traefik_definitions

OBJECTS = [
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": "traefik"},
        "spec": {"controllerName": "traefik.io/gateway-controller"},
    },
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": "traefik"},
        "spec": {"controller": "traefik.io/ingress-controller"},
    },
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "gateway"}},
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "gateway", "namespace": "gateway"},
        "spec": {
            "gatewayClassName": "traefik",
            "listeners": [
                {
                    "name": "web",
                    "protocol": "HTTP",
                    "port": GATEWAY_PORT,
                    "allowedRoutes": {"namespaces": {"from": "All"}},
                }
            ],
        },
    },
]


def up() -> None:
    for definitions in (gateway_api(), traefik_definitions()):
        define(definitions)
    for manifest in OBJECTS:
        apply("-", input=json.dumps(manifest))
    start(
        "traefik", BIN / "traefik", "--global.checkNewVersion=false",
        "--global.sendAnonymousUsage=false", "--log.level=INFO", "--accesslog=true",
        f"--entrypoints.web.address=127.0.0.1:{GATEWAY_PORT}",
        f"--entrypoints.websecure.address=127.0.0.1:{GATEWAY_TLS_PORT}",
        # The gateway's own timeout of reading a request would cut a slow upload.
        "--entrypoints.web.transport.respondingTimeouts.readTimeout=0",
        f"--entrypoints.traefik.address=127.0.0.1:{GATEWAY_ADMIN_PORT}", "--ping=true",
        "--providers.kubernetesgateway=true",
        "--providers.kubernetesgateway.statusaddress.ip=127.0.0.1",
        "--providers.kubernetesingress=true",
        "--providers.kubernetesingress.ingressendpoint.ip=127.0.0.1",
        "--providers.kubernetescrd=true",
        ready=lambda: succeeds("curl", "-fsS", f"http://127.0.0.1:{GATEWAY_ADMIN_PORT}/ping"),
        variables={"KUBECONFIG": str(KUBECONFIG)},
    )  # fmt: skip
    kubectl("wait", "--for=condition=Programmed", "--timeout=60s", "--namespace=gateway",
            "gateway/gateway")  # fmt: skip


def down() -> None:
    stop("traefik")
