"""KEDA, its HTTP add-on and the metrics that autoscaled servers need."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from trussform.cli.doctor.finding import Finding
from trussform.cli.doctor.kubectl import Kubectl, KubectlError
from trussform.manifests.autoscaling import GATEWAY_GAUGES
from trussform.plan import Plan
from trussform.plan.autoscaling import INTERCEPTOR, SCALER

METRICS = "v1beta1.external.metrics.k8s.io"
"""The APIService of KEDA's metrics server, which the HorizontalPodAutoscaler asks."""
INTERCEPTOR_DEPLOYMENT = "keda-add-ons-http-interceptor"
IDLE_CONNECTIONS = "KEDA_HTTP_MAX_IDLE_CONNS_PER_HOST"
"""The variable of the add-on with the number of connections that it keeps to each pod."""


def check_autoscaling(plans: Mapping[str, Plan], kubectl: Kubectl) -> Iterator[Finding]:
    """Yields the findings about what scales the servers; none if no server is autoscaled."""
    scaled = [plan for plan in plans.values() if plan.autoscaling.metric != "none"]
    if not scaled:
        return
    yield _metrics_server(kubectl)
    intercepted = [plan for plan in scaled if plan.autoscaling.intercepted]
    for namespace in dict.fromkeys(plan.autoscaling.add_on for plan in intercepted):
        waits = any(plan.drain.waits for plan in intercepted)
        yield from _add_on(namespace, waits, kubectl)
    asked = {
        (plan.autoscaling.prometheus, (plan.autoscaling.gauges or GATEWAY_GAUGES)[0])
        for plan in scaled
        if plan.autoscaling.prometheus
    }
    for url, gauge in sorted(asked):
        yield _prometheus(url, gauge, kubectl)


def _metrics_server(kubectl: Kubectl) -> Finding:
    found: Any = kubectl.get("apiservices.apiregistration.k8s.io", METRICS)
    if found is None:
        return Finding("problem", "KEDA", f"the APIService {METRICS} is missing", "install KEDA")
    service = found["spec"]["service"]["name"]
    if "keda" not in service:
        text = f"the APIService {METRICS} belongs to `{service}`, and a cluster has one"
        return Finding("problem", "KEDA", text, "let KEDA serve it")
    for condition in found.get("status", {}).get("conditions", ()):
        if condition["type"] == "Available" and condition["status"] == "True":
            return Finding("fine", "KEDA", "its metrics server is available")
    fix = f"check the pods of the Service {service}, and of KEDA's operator"
    return Finding("problem", "KEDA", f"the APIService {METRICS} is not available", fix)


def _add_on(namespace: str, waits: bool, kubectl: Kubectl) -> Iterator[Finding]:
    """Yields the findings about KEDA's HTTP add-on.

    Args:
        waits: True if a stopping pod waits until its clients have disconnected.
    """
    subject = "KEDA's HTTP add-on"
    missing = [
        name for name in (INTERCEPTOR, SCALER) if not kubectl.has("service", name, namespace)
    ]
    for name in missing:
        fix = "install it, or correct `autoscaling.add_on_namespace` of the stage"
        text = f"the Service {name} is missing in the namespace `{namespace}`"
        yield Finding("problem", subject, text, fix)
    if missing:
        return
    yield Finding("fine", subject, f"its Services are in the namespace `{namespace}`")
    found: Any = kubectl.get("deployment", INTERCEPTOR_DEPLOYMENT, "--namespace", namespace)
    if found is not None and waits and not _closes_connections(found):
        text = "the interceptor keeps idle connections, and a stopping pod waits for them"
        fix = f"set {IDLE_CONNECTIONS} of the Deployment {INTERCEPTOR_DEPLOYMENT} to -1"
        yield Finding("warning", subject, text, fix)


def _closes_connections(deployment: Any) -> bool:
    containers = deployment["spec"]["template"]["spec"]["containers"]
    variables = [entry for container in containers for entry in container.get("env", ())]
    return any(
        entry["name"] == IDLE_CONNECTIONS and entry.get("value") == "-1" for entry in variables
    )


def _prometheus(url: str, gauge: str, kubectl: Kubectl) -> Finding:
    """Returns the finding about a Prometheus in the cluster, which the API server asks."""
    subject = f"Prometheus {url}"
    parts = urlsplit(url)
    labels = (parts.hostname or "").split(".")
    if len(labels) < 2 or labels[2:3] not in ([], ["svc"]):
        return Finding("warning", subject, "not checked: it is outside the cluster", "ask it for "
                       f"`{gauge}` yourself")  # fmt: skip
    port = parts.port or (443 if parts.scheme == "https" else 80)
    prefix = "https:" if parts.scheme == "https" else ""
    service = f"/api/v1/namespaces/{labels[1]}/services/{prefix}{labels[0]}:{port}/proxy"
    try:
        answer: Any = kubectl.raw(f"{service}{parts.path}/api/v1/query?query={quote(gauge)}")
    except KubectlError as error:
        return Finding("problem", subject, f"it does not answer: {error.message}", "check its pods")
    if answer is None:
        text = f"the Service {labels[0]} is missing in the namespace `{labels[1]}`"
        return Finding("problem", subject, text, "correct `autoscaling.prometheus` of the stage")
    if not answer["data"]["result"]:
        fix = "let it read the metrics of the gateway's proxies and of the servers' pods"
        return Finding("warning", subject, f"it has no `{gauge}`", fix)
    return Finding("fine", subject, f"it has `{gauge}`")
