"""The configs and the stage that scanners and Pod Security judge."""

from typing import Any

from support.workspace import ROOT

CONFIGS = sorted(ROOT.glob("examples/servers/*/config.yaml"))
EXAMPLES = {file.parent.name: file.parent for file in CONFIGS}
SERVERS = {**EXAMPLES, "weights": ROOT / "tests/cluster/servers/weights"}
COMMON: dict[str, Any] = {
    "environment": "production",
    "domain": "models.example.com",
    "registry": "registry.example.com/models",
    "tags": "locked",
    "secrets": {"existing": "model-secrets"},
    "weights": {"storage": {"kind": "claim", "access_mode": "ReadWriteMany"}},
}
AS_USER = {"docker_server": {"run_as_user_id": 10001}}

_ENVOY = {"kind": "gateway", "name": "public", "controller": "envoy-gateway"}
_POD: dict[str, Any] = {
    "labels": {"kueue.x-k8s.io/queue-name": "gpus"},
    "annotations": {"karpenter.sh/do-not-disrupt": "true"},
    "node_selector": {"pool": "models"},
    "tolerations": [
        {"key": "dedicated", "value": "models"},
        {"operator": "Exists", "effect": "NoExecute", "toleration_seconds": 60},
    ],
    "priority_class": "serving",
    "service_account": "reader",
    "requests": {"cpu": "2", "memory": "8Gi", "ephemeral_storage": "1Gi"},
    "limits": {"cpu": "4", "memory": "16Gi", "ephemeral_storage": "2Gi"},
    "termination_grace_period": 90,
}
FORMS: dict[str, dict[str, Any]] = {
    "gateway": {"route": {"kind": "gateway", "name": "public", "namespace": "gateways"}},
    "envoy": {
        "route": {**_ENVOY, "listener": "https", "scheme": "http", "port": 8080},
        "auth": {"kind": "api-key", "existing": "clients"},
        "ingress_from": [{"namespace": "gateways"}, {"cidr": "10.0.0.0/8"}],
        "request_timeout": 300,
        "spare_gpus": 1,
    },
    "keys": {
        "route": _ENVOY,
        "auth": {"kind": "api-key", "keys": ["ci"], "rotating": {"ci": "ci_next"}},
        "secrets": "pulumi",
        "secrets_version": "2",
    },
    "forward": {
        "route": {**_ENVOY, "controller": "traefik"},
        "auth": {
            "kind": "forward",
            "service": "auth",
            "namespace": "auth",
            "port": 9000,
            "path": "/check",
            "headers": ["X-User"],
        },
    },
    "gke": {
        "route": {**_ENVOY, "controller": "gke"},
        "gpu": {"dialect": "gke", "spot": True},
        "request_timeout": 300,
    },
    "traefik": {
        "route": {
            "kind": "ingress",
            "controller": "traefik",
            "class_name": "public",
            "tls": {"issuer": "letsencrypt", "issuer_kind": "Issuer"},
        },
        "weights": {"storage": {"kind": "existing", "claim": "models"}},
    },
    "nginx": {
        "route": {"kind": "ingress", "controller": "nginx", "tls": {"secret": "wildcard"}},
        "weights": {"storage": {"kind": "node", "path": "/var/models"}},
    },
    "no route": {
        "route": {"kind": "none"},
        "replicas": "autoscaled",
        "weights": {
            "storage": {
                "kind": "claim",
                "size": "10Gi",
                "storage_class": "fast",
                "access_mode": "ReadWriteMany",
            },
            "image": "python:3.12",
            "run_as_user_id": 1000,
            "environment_variables": {"HF_ENDPOINT": "http://hub"},
        },
    },
    "a store": {
        "secrets": {
            "store": "vault",
            "store_kind": "SecretStore",
            "path": "models/",
            "refresh": "5m",
        },
        "replicas": 2,
        "pull_secret": "login",
        "network_policy": "cilium",
    },
    "aks": {
        "gpu": {
            "dialect": "aks",
            "spot": True,
            "taint": "example.com/gpu",
            "tolerations": [{"key": "dedicated", "value": "gpu", "effect": "NoExecute"}],
            "runtime_class": "nvidia",
            "label": "example.com/gpu",
            "products": {"L4": ["l4"]},
        },
    },
    "mig": {
        "gpu": {"resource": "example.com/gpu", "resources": {"L4": "nvidia.com/mig-1g.10gb"}},
    },
    "openshift": {"pod": {"fs_group": "none", "runtime_class": "kata"}},
    "a pod": {
        "pod": _POD,
        "deadlines": {"provisioning": 60, "weights": 60, "pull": 60, "startup": 60},
    },
    "to zero": {
        "route": _ENVOY,
        "auth": "none",
        "ingress_from": [{"namespace": "gateways"}],
        "autoscaling": {
            "min_replica": 0,
            "max_replica": 4,
            "autoscaling_window": 30,
            "scale_down_delay": 300,
            "max_scale_down_rate": 25,
            "concurrency_target": 32,
            "target_utilization_percentage": 80,
            "add_on_namespace": "default",
            "triggers": [{"type": "cpu", "metricType": "Utilization", "metadata": {"value": "80"}}],
        },
    },
    "by metrics": {
        "route": _ENVOY,
        "auth": "none",
        "autoscaling": {
            "min_replica": 1,
            "max_replica": 4,
            "prometheus": "http://prometheus.monitoring.svc:9090",
        },
    },
    "a server of its own": {
        "deadlines": {"drain": 60},
        "digests": {"python:3.11-slim": f"sha256:{'0' * 64}"},
        "builder": "none",
        "tags": "locked",
        "create_namespace": False,
        "servers": {
            "server": {
                "path": "server",
                "config": {"docker_server": {"server_port": 9000}},
                "replicas": 3,
                "spare_gpus": 2,
                "auth": "none",
                "weights": {"storage": {"kind": "claim", "size": "20Gi"}},
                "pod": {"labels": {"team": "ml"}},
                "image": f"python@sha256:{'0' * 64}",
            }
        },
    },
}
"""Stages that together set every field, for a server on a GPU with weights and a secret."""

GPU_SERVER: dict[str, Any] = {
    "resources": {"accelerator": "L4"},
    "weights": [{"source": f"hf://owner/model@{'0' * 40}", "mount_location": "/models/m"}],
    "secrets": {"token": None},
}
