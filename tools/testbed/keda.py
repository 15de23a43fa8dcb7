"""KEDA, its HTTP add-on and a Prometheus: programs of this machine, as pods reach no API server.

Services without a selector lead to them. kube-proxy is there for the add-on, which asks a server by
its cluster IP; the server's name is in the machine's own file of names.
"""

import json
from pathlib import Path
from typing import Any

from testbed import firewall
from testbed.kubernetes import apply, define
from testbed.places import (
    BIN,
    DATA,
    ENVOY_METRICS_PORT,
    ETC,
    INTERCEPTOR_ADMIN_PORT,
    INTERCEPTOR_PORT,
    KEDA_API_PORT,
    KEDA_HEALTH_PORT,
    KEDA_METRICS_PORT,
    KEDA_SERVICE_PORT,
    KUBECONFIG,
    NODE,
    NODE_IP,
    PKI,
    PROMETHEUS_PORT,
    SCALER_PORT,
    SERVICE_CIDR,
)
from testbed.processes import run, start, stop, succeeds, until
from testbed.programs import keda_add_on_definitions, keda_definitions

_NAMESPACE = "keda"
_SCALER = "keda-add-ons-http-external-scaler"
_ADMIN = "keda-add-ons-http-interceptor-admin"
_SERVICES = {
    "keda-metrics-apiserver": (443, KEDA_API_PORT),
    "keda-add-ons-http-interceptor-proxy": (8080, INTERCEPTOR_PORT),
    _ADMIN: (9090, INTERCEPTOR_ADMIN_PORT),
    _SCALER: (9090, SCALER_PORT),
}
"""The port of each Service, and the port of its program."""
_API = "v1beta1.external.metrics.k8s.io"
_READER = "keda-external-metrics-reader"
_OPEN = (INTERCEPTOR_PORT, INTERCEPTOR_ADMIN_PORT, SCALER_PORT, KEDA_METRICS_PORT, KEDA_API_PORT,
         10249, 10256)  # fmt: skip
"""The ports on which the programs listen on all addresses; the last two are kube-proxy's."""
_NO_WAY_OUT = ("OUTPUT", "-d", SERVICE_CIDR, "-j", "REJECT")
"""A cluster IP that leads nowhere must not lead out of this machine."""
_HOSTS = Path("/etc/hosts")
_HOST = f"127.0.0.1 {_SCALER}.{_NAMESPACE} # trussform\n"
_KEYS = PKI / "keda"


def up() -> None:
    firewall.shut(_OPEN)
    if not succeeds("iptables", "-C", *_NO_WAY_OUT):
        run("iptables", "-A", *_NO_WAY_OUT)
    if _HOST not in _HOSTS.read_text():
        _HOSTS.write_text(_HOSTS.read_text() + _HOST)
    _copy_keys()
    define(keda_definitions())
    define(keda_add_on_definitions())
    apply("-", input="\n---\n".join(map(json.dumps, _objects())))
    _kube_proxy()
    _keda()
    _add_on()
    _prometheus()
    ready = ("wait", "--for=condition=Available", f"apiservice/{_API}", "--timeout=5s")
    until(lambda: succeeds(BIN / "kubectl", "--kubeconfig", KUBECONFIG, *ready), "KEDA's API", 60)


def down() -> None:
    for name in ("prometheus", "keda-scaler", "keda-interceptor", "keda-adapter", "keda-operator",
                 "kube-proxy"):  # fmt: skip
        stop(name)
    if (BIN / "kube-proxy").exists():
        succeeds(BIN / "kube-proxy", "--cleanup")
    succeeds("iptables", "-D", *_NO_WAY_OUT)
    firewall.forget(_OPEN)
    _HOSTS.write_text(_HOSTS.read_text().replace(_HOST, ""))


def _copy_keys() -> None:
    """KEDA looks for its keys under the names of a Secret's entries."""
    _KEYS.mkdir(exist_ok=True)
    for source, name in (("ca.crt", "ca.crt"), ("keda.crt", "tls.crt"), ("keda.key", "tls.key")):
        (_KEYS / name).write_bytes((PKI / source).read_bytes())


def _object(version: str, kind: str, name: str, **rest: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **rest}


def _objects() -> list[dict[str, Any]]:
    """The namespace, the Services, and the right of the autoscaler to read KEDA's metrics."""
    service = {"name": "keda-metrics-apiserver", "namespace": _NAMESPACE}
    api = {"group": "external.metrics.k8s.io", "version": "v1beta1", "service": service,
           "groupPriorityMinimum": 100, "versionPriority": 100,
           "insecureSkipTLSVerify": True}  # fmt: skip
    rule = {"apiGroups": ["external.metrics.k8s.io"], "resources": ["*"], "verbs": ["*"]}
    autoscaler = {"kind": "ServiceAccount", "name": "horizontal-pod-autoscaler",
                  "namespace": "kube-system"}  # fmt: skip
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": _READER}
    rbac = "rbac.authorization.k8s.io/v1"
    made = [
        _object("v1", "Namespace", _NAMESPACE),
        _object(rbac, "ClusterRole", _READER, rules=[rule]),
        _object(rbac, "ClusterRoleBinding", _READER, subjects=[autoscaler], roleRef=role),
        _object("apiregistration.k8s.io/v1", "APIService", _API, spec=api),
    ]
    for name, (port, target) in _SERVICES.items():
        made += _service(name, port, target)
    return made


def _service(name: str, port: int, target: int) -> list[dict[str, Any]]:
    service = _object("v1", "Service", name, spec={"ports": [{"port": port}]})
    slice_ = _object(
        "discovery.k8s.io/v1", "EndpointSlice", name, addressType="IPv4",
        endpoints=[{"addresses": [NODE_IP], "conditions": {"ready": True}}],
        ports=[{"port": target, "name": "", "protocol": "TCP"}],
    )  # fmt: skip
    slice_["metadata"]["labels"] = {"kubernetes.io/service-name": name}
    for each in (service, slice_):
        each["metadata"]["namespace"] = _NAMESPACE
    return [service, slice_]


def _kube_proxy() -> None:
    start(
        "kube-proxy", BIN / "kube-proxy", f"--kubeconfig={KUBECONFIG}", "--proxy-mode=iptables",
        f"--hostname-override={NODE}", "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0s", "--conntrack-tcp-timeout-close-wait=0s",
        "--healthz-bind-address=127.0.0.1:10256", "--metrics-bind-address=127.0.0.1:10249",
        ready=lambda: succeeds("curl", "-fsS", "http://127.0.0.1:10256/healthz"),
    )  # fmt: skip


def _keda() -> None:
    variables = {
        "KUBECONFIG": str(KUBECONFIG),
        "KEDA_CLUSTER_OBJECT_NAMESPACE": _NAMESPACE,
        "POD_NAMESPACE": _NAMESPACE,
        "WATCH_NAMESPACE": "",
    }
    start(
        "keda-operator", BIN / "keda-operator", "--metrics-bind-address=127.0.0.1:0",
        f"--health-probe-bind-address=127.0.0.1:{KEDA_HEALTH_PORT}",
        f"--metrics-service-bind-address=127.0.0.1:{KEDA_SERVICE_PORT}", f"--cert-dir={_KEYS}",
        ready=lambda: succeeds("curl", "-fsS", f"http://127.0.0.1:{KEDA_HEALTH_PORT}/readyz"),
        variables=variables,
    )  # fmt: skip
    start(
        "keda-adapter", BIN / "keda-adapter", f"--secure-port={KEDA_API_PORT}",
        f"--cert-dir={_KEYS}", f"--tls-cert-file={_KEYS / 'tls.crt'}",
        f"--tls-private-key-file={_KEYS / 'tls.key'}", f"--lister-kubeconfig={KUBECONFIG}",
        f"--authentication-kubeconfig={KUBECONFIG}", f"--authorization-kubeconfig={KUBECONFIG}",
        f"--metrics-service-address=127.0.0.1:{KEDA_SERVICE_PORT}", f"--port={KEDA_METRICS_PORT}",
        ready=lambda: succeeds("curl", "-fsSk", f"https://127.0.0.1:{KEDA_API_PORT}/readyz"),
        variables=variables,
    )  # fmt: skip


def _add_on() -> None:
    common = {"KUBECONFIG": str(KUBECONFIG), "OTEL_PROM_EXPORTER_ENABLED": "false"}
    start(
        "keda-interceptor", BIN / "keda-interceptor",
        ready=lambda: succeeds("curl", "-fsS", f"http://127.0.0.1:{INTERCEPTOR_ADMIN_PORT}/readyz"),
        variables={
            **common,
            "KEDA_HTTP_PROXY_PORT": str(INTERCEPTOR_PORT),
            "KEDA_HTTP_ADMIN_PORT": str(INTERCEPTOR_ADMIN_PORT),
            # A stopping pod waits until its clients have disconnected.
            "KEDA_HTTP_MAX_IDLE_CONNS_PER_HOST": "-1",
        },
    )  # fmt: skip
    start(
        "keda-scaler", BIN / "keda-scaler",
        ready=lambda: succeeds("bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{SCALER_PORT}"),
        variables={
            **common,
            "KEDA_HTTP_SCALER_TARGET_ADMIN_NAMESPACE": _NAMESPACE,
            "KEDA_HTTP_SCALER_TARGET_ADMIN_DEPLOYMENT": "keda-add-ons-http-interceptor",
            "KEDA_HTTP_SCALER_TARGET_ADMIN_SERVICE": _ADMIN,
            "KEDA_HTTP_SCALER_TARGET_ADMIN_PORT": str(INTERCEPTOR_ADMIN_PORT),
            "KEDA_HTTP_SCALER_PORT": str(SCALER_PORT),
        },
    )  # fmt: skip


def _prometheus() -> None:
    """Reads Envoy's metrics often, so that a test need not wait for them."""
    file = ETC / "prometheus.json"
    scraped = {
        "job_name": "envoy",
        "metrics_path": "/stats/prometheus",
        "static_configs": [{"targets": [f"127.0.0.1:{ENVOY_METRICS_PORT}"]}],
    }
    file.write_text(json.dumps({"global": {"scrape_interval": "2s"}, "scrape_configs": [scraped]}))
    start(
        "prometheus", BIN / "prometheus", f"--config.file={file}",
        f"--storage.tsdb.path={DATA / 'prometheus'}", "--storage.tsdb.retention.time=2h",
        f"--web.listen-address=127.0.0.1:{PROMETHEUS_PORT}",
        ready=lambda: succeeds("curl", "-fsS", f"http://127.0.0.1:{PROMETHEUS_PORT}/-/ready"),
    )  # fmt: skip
