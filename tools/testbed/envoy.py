"""Envoy Gateway and its proxy, as the controller of a second Gateway.

Both are pods on the node's own network, of a base image and of the programs in the cache, so that
no image is built for them. There is no DNS: the proxy is told where its controller is.
"""

import json
import time
from typing import Any

from testbed import firewall
from testbed.kubernetes import apply, define, kubectl
from testbed.places import (
    BASE_IMAGE,
    BIN,
    ENVOY_ADMIN_PORT,
    ENVOY_METRICS_PORT,
    ENVOY_PORT,
    KUBECONFIG,
)
from testbed.processes import Failed, run, say, succeeds, until
from testbed.programs import envoy_definitions

_NAMESPACE = "envoy-gateway-system"
_CONTROLLER = "gateway.envoyproxy.io/gatewayclass-controller"
_VERSION = "gateway.envoyproxy.io/v1alpha1"
_PROGRAMS = {"name": "programs", "mountPath": "/programs", "readOnly": True}
_CACHE = {"name": "programs", "hostPath": {"path": str(BIN)}}

_SETTINGS = {
    "apiVersion": _VERSION,
    "kind": "EnvoyGateway",
    "gateway": {"controllerName": _CONTROLLER},
    "provider": {
        "type": "Kubernetes",
        "kubernetes": {
            "leaderElection": {"disable": True},
            "proxyTopologyInjector": {"disabled": True},
        },
    },
    "extensionApis": {"enableEnvoyPatchPolicy": True},
    "telemetry": {"metrics": {"prometheus": {"disable": True}}},
    # The default is the proxy's.
    "admin": {"address": {"host": "127.0.0.1", "port": ENVOY_ADMIN_PORT}},
}

_CONTAINER = {
    "name": "envoy-gateway",
    "image": BASE_IMAGE,
    "command": ["/programs/envoy-gateway", "server", "--config-path=/config/settings.json"],
    "env": [
        {"name": "ENVOY_GATEWAY_NAMESPACE", "value": _NAMESPACE},
        {"name": "KUBECONFIG", "value": "/kubeconfig"},
    ],
    "volumeMounts": [
        _PROGRAMS,
        {"name": "kubeconfig", "mountPath": "/kubeconfig", "readOnly": True},
        {"name": "settings", "mountPath": "/config"},
        {"name": "keys", "mountPath": "/certs"},
    ],
}
_POD = {
    "hostNetwork": True,
    "containers": [_CONTAINER],
    "volumes": [
        _CACHE,
        {"name": "kubeconfig", "hostPath": {"path": str(KUBECONFIG)}},
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "keys", "secret": {"secretName": "envoy-gateway"}},
    ],
}

_FIND_CONTROLLER = (
    f'exec /programs/envoy "${{@//envoy-gateway.{_NAMESPACE}.svc.cluster.local./127.0.0.1}}"'
)
_PROXY_POD = {
    "hostNetwork": True,
    "containers": [
        {
            "name": "envoy",
            "command": ["bash", "-c", _FIND_CONTROLLER, "envoy"],
            "startupProbe": {"periodSeconds": 1},
            "volumeMounts": [_PROGRAMS],
        },
        {"name": "shutdown-manager", "$patch": "delete"},
    ],
    "volumes": [_CACHE],
}
_PROXY = {
    "provider": {
        "type": "Kubernetes",
        "kubernetes": {
            "envoyService": {"type": "ClusterIP"},
            "envoyDeployment": {
                "strategy": {"type": "Recreate"},
                "container": {
                    "image": BASE_IMAGE,
                    "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
                },
                "patch": {"value": {"spec": {"template": {"spec": _PROXY_POD}}}},
            },
        },
    },
}

_ON_LOOPBACK = {
    "type": "type.googleapis.com/envoy.config.listener.v3.Listener",
    "name": "gateway/envoy/web",
    "operation": {
        "op": "replace",
        "path": "/address/socket_address/address",
        "value": "127.0.0.1",
    },
}


_PORTS = (8080, 8081, 18000, 18002, ENVOY_METRICS_PORT, 19003)
"""The ports on which the two listen on all addresses, whatever their settings."""


def _object(version: str, kind: str, name: str, namespace: str = "", **rest: Any) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def _gateway() -> list[dict[str, Any]]:
    api, labels = "gateway.networking.k8s.io", {"app": "envoy-gateway"}
    deployment = {
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": _POD},
    }
    proxy = {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": "proxy"}
    listener = {
        "name": "web",
        "protocol": "HTTP",
        "port": ENVOY_PORT,
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    return [
        _object("v1", "ConfigMap", "settings", _NAMESPACE,
                data={"settings.json": json.dumps(_SETTINGS)}),
        _object("apps/v1", "Deployment", "envoy-gateway", _NAMESPACE, spec=deployment),
        _object(_VERSION, "EnvoyProxy", "proxy", _NAMESPACE, spec=_PROXY),
        _object(f"{api}/v1", "GatewayClass", "envoy",
                spec={"controllerName": _CONTROLLER,
                      "parametersRef": {**proxy, "namespace": _NAMESPACE}}),
        _object(_VERSION, "EnvoyPatchPolicy", "on-loopback", "gateway",
                spec={"targetRef": {"group": api, "kind": "Gateway", "name": "envoy"},
                      "type": "JSONPatch", "jsonPatches": [_ON_LOOPBACK]}),
        _object(f"{api}/v1", "Gateway", "envoy", "gateway",
                spec={"gatewayClassName": "envoy", "listeners": [listener]}),
    ]  # fmt: skip


def up() -> None:
    firewall.shut(_PORTS)
    define(envoy_definitions())
    apply("-", input=json.dumps(_object("v1", "Namespace", _NAMESPACE)))
    # Makes the keys of both as Secrets, unless they are there.
    run(BIN / "envoy-gateway", "certgen", "--disable-topology-injector",
        KUBECONFIG=str(KUBECONFIG), ENVOY_GATEWAY_NAMESPACE=_NAMESPACE)  # fmt: skip
    apply("-", input="\n---\n".join(map(json.dumps, _gateway())))
    began = time.monotonic()
    try:
        kubectl("wait", "--for=condition=Programmed", "--timeout=90s", "--namespace=gateway",
                "gateway/envoy")  # fmt: skip
    except Failed as failed:
        log = ("logs", "deployment/envoy-gateway", f"--namespace={_NAMESPACE}", "--tail=15")
        raise Failed(f"{failed}\n{kubectl(*log)}") from None
    until(lambda: succeeds("curl", "-sS", f"http://127.0.0.1:{ENVOY_PORT}/"), "Envoy answers", 30)
    say(f"envoy is ready ({time.monotonic() - began:.0f} s)")


def down() -> None:
    """The pods go with the others; what is left is the firewall's."""
    firewall.forget(_PORTS)
