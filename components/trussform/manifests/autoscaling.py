"""The objects of KEDA that scale a Deployment, and the way of its requests through the add-on."""

from trussform.manifests.deploy_values import DeployValues, Manifest, Text
from trussform.manifests.metadata import metadata
from trussform.plan import Plan
from trussform.plan.autoscaling import INTERCEPTOR, INTERCEPTOR_PORT, SCALER, SCALER_PORT
from trussform.plan.routes import SERVICE_PORT

_POLL = 5
"""Seconds between two looks of KEDA at a metric; its own default is 30."""
_LONGEST_PERIOD = 1800
"""The longest `periodSeconds` of a policy of the HorizontalPodAutoscaler."""
_POD = "[a-z0-9]+(-[a-z0-9]{5})?"
"""The end of a pod's name; Kubernetes cuts the name of a Deployment with a long one."""
GATEWAY_GAUGES = ("envoy_cluster_upstream_rq_active", "envoy_cluster_upstream_rq_pending_active")
"""Envoy's metrics of the requests that it has sent to a server, and holds for it."""


def backend(plan: Plan) -> Manifest:
    """Returns the `backendRef` of the route: the Service, or KEDA's HTTP add-on before it."""
    if not plan.autoscaling.intercepted:
        return {"name": plan.name, "port": SERVICE_PORT}
    return {
        "name": INTERCEPTOR,
        "namespace": plan.autoscaling.add_on,
        "port": INTERCEPTOR_PORT,
    }


def interceptor_routes(plan: Plan, values: DeployValues[Text], host: Text | str) -> list[Manifest]:
    """Returns what leads requests of the host through KEDA's HTTP add-on; none without it."""
    if not plan.autoscaling.intercepted:
        return []
    return [_interceptor_route(plan, values, host), _grant(plan, values)]


def scaled_objects(plan: Plan, values: DeployValues[Text]) -> list[Manifest]:
    """Returns the ScaledObject; none without `autoscaling`."""
    decided = plan.autoscaling
    if decided.metric == "none":
        return []
    return [
        {
            "apiVersion": "keda.sh/v1alpha1",
            "kind": "ScaledObject",
            "metadata": metadata(plan, values, plan.name),
            "spec": {
                "scaleTargetRef": {"name": plan.name},
                "minReplicaCount": decided.minimum,
                "maxReplicaCount": decided.maximum,
                "pollingInterval": _POLL,
                # From the last replica to none; the HorizontalPodAutoscaler never goes below one.
                "cooldownPeriod": decided.delay,
                "initialCooldownPeriod": decided.delay,
                "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _behavior(plan)}},
                "triggers": [*_triggers(plan, values), *decided.triggers],
            },
        }
    ]


def _behavior(plan: Plan) -> Manifest:
    """Returns the behavior of the HorizontalPodAutoscaler, whole: KEDA writes each missing field
    again and again."""
    decided = plan.autoscaling
    # A query of Prometheus looks at the window itself.
    window = 0 if decided.prometheus else decided.window
    up = [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ]
    period = max(1, min(decided.delay, _LONGEST_PERIOD))
    down = [{"type": "Percent", "value": decided.rate, "periodSeconds": period}]
    return {
        "scaleUp": _rules(window, up),
        "scaleDown": _rules(decided.delay, down),
    }


def _rules(window: int, policies: list[Manifest]) -> Manifest:
    return {
        "stabilizationWindowSeconds": window,
        "selectPolicy": "Max",
        "policies": policies,
    }


def _triggers(plan: Plan, values: DeployValues[Text]) -> list[Manifest]:
    decided = plan.autoscaling
    if decided.metric == "triggers":
        return []
    if decided.intercepted:
        address = f"{SCALER}.{decided.add_on}:{SCALER_PORT}"
        about = {
            "scalerAddress": address,
            "interceptorRoute": plan.name,
            # KEDA asks the add-on for the target only when the ScaledObject changes.
            "target": str(int(decided.target)),
        }
        return [{"type": "external-push", "metadata": about}]
    query = _server_load(plan, values) if decided.gauges else _gateway_load(plan, values)
    about = {
        "serverAddress": decided.prometheus,
        "query": values.concat("avg_over_time((", query, f")[{decided.window}s:{_POLL}s])"),
        "threshold": f"{decided.target:g}",
    }
    return [{"type": "prometheus", "metadata": about}]


def _gateway_load(plan: Plan, values: DeployValues[Text]) -> Text:
    """Returns the query of the requests that Envoy has sent to the server, or holds for it."""
    kind = "grpcroute" if plan.routes.protocol == "grpc" else "httproute"
    clusters = (f'{{envoy_cluster_name=~"{kind}/', values.namespace, f'/{plan.name}/rule/.*"}}')
    return _sum(values, GATEWAY_GAUGES, clusters)


def _server_load(plan: Plan, values: DeployValues[Text]) -> Text:
    """Returns the query of the requests that the pods say they have."""
    pods = ('{namespace="', values.namespace, f'",pod=~"{plan.name}-{_POD}"}}')
    return _sum(values, plan.autoscaling.gauges, pods)


def _sum(
    values: DeployValues[Text], gauges: tuple[str, ...], chosen: tuple[Text | str, ...]
) -> Text:
    """Returns the query of the sum of metrics; one that nobody reports is 0."""
    parts: list[Text | str] = []
    for gauge in gauges:
        parts += [" + " if parts else "", f"(sum({gauge}", *chosen, ") or vector(0))"]
    return values.concat(*parts)


def _interceptor_route(plan: Plan, values: DeployValues[Text], host: Text | str) -> Manifest:
    decided = plan.autoscaling
    return {
        "apiVersion": "http.keda.sh/v1beta1",
        "kind": "InterceptorRoute",
        "metadata": metadata(plan, values, plan.name),
        "spec": {
            "target": {"service": plan.name, "port": SERVICE_PORT},
            "rules": [{"hosts": [host]}],
            "scalingMetric": {"concurrency": {"targetValue": int(decided.target)}},
            # The route of the gateway limits requests, and the add-on's own limits are lifted.
            "timeouts": {
                "readiness": f"{decided.wait}s",
                "request": "0s",
                "responseHeader": "0s",
            },
        },
    }


def _grant(plan: Plan, values: DeployValues[Text]) -> Manifest:
    """Returns the leave of the add-on's namespace that routes of the servers' lead to it."""
    kind = "GRPCRoute" if plan.routes.protocol == "grpc" else "HTTPRoute"
    api = "gateway.networking.k8s.io"
    # No name of a server or of a namespace has a dot.
    name = values.concat(plan.name, ".", values.namespace)
    return {
        "apiVersion": f"{api}/v1beta1",
        "kind": "ReferenceGrant",
        "metadata": {
            **metadata(plan, values, plan.name),
            "name": name,
            "namespace": plan.autoscaling.add_on,
        },
        "spec": {
            "from": [{"group": api, "kind": kind, "namespace": values.namespace}],
            "to": [{"group": "", "kind": "Service", "name": INTERCEPTOR}],
        },
    }
