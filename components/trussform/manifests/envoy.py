"""Objects of Envoy Gateway that do what the Gateway API cannot, apart from auth."""

from trussform.manifests.deploy_values import DeployValues, Manifest, Text
from trussform.manifests.metadata import metadata
from trussform.plan import Plan
from trussform.plan.routes import IDLE, REQUEST_ID

_UNLIMITED = 2**32 - 1
_LIMITS = ("maxConnections", "maxPendingRequests", "maxParallelRequests")


def traffic_policies(plan: Plan, values: DeployValues[Text]) -> list[Manifest]:
    """Returns the policy of the server's route; none where another controller runs the Gateway.

    Envoy answers 503 beyond 1,024 requests in flight and as many waiting, and ends a gRPC call
    after 15 s or after 300 s of silence. An HTTPRoute says its timeout itself.
    """
    if not plan.routes.traffic_policy:
        return []
    grpc = plan.routes.protocol == "grpc"
    target = {
        "group": "gateway.networking.k8s.io",
        "kind": "GRPCRoute" if grpc else "HTTPRoute",
        "name": plan.name,
    }
    spec: Manifest = {
        "targetRefs": [target],
        # A policy of the whole Gateway goes on applying, as in a rate limit.
        "mergeType": "StrategicMerge",
        "circuitBreaker": dict.fromkeys(_LIMITS, _UNLIMITED),
        "timeout": {"http": {"connectionIdleTimeout": f"{IDLE}s"}},
    }
    if grpc:
        spec["timeout"]["http"]["requestTimeout"] = "0s"
    return [
        {
            "apiVersion": "gateway.envoyproxy.io/v1alpha1",
            "kind": "BackendTrafficPolicy",
            "metadata": metadata(plan, values, plan.names.traffic_policy),
            "spec": spec,
        }
    ]


def request_id_filters(plan: Plan) -> list[Manifest]:
    """Returns the filters that copy Envoy's request ID into Baseten's header, both ways."""
    if not plan.routes.request_id:
        return []
    header = {"set": [{"name": REQUEST_ID, "value": "%REQ(X-REQUEST-ID)%"}]}
    return [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": header},
        {"type": "ResponseHeaderModifier", "responseHeaderModifier": header},
    ]
