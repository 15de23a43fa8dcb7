"""Objects of GKE's Gateway: the health check and the timeout of the Service."""

from trussform.manifests.deploy_values import DeployValues, Manifest, Text
from trussform.manifests.metadata import metadata
from trussform.plan import Plan


def backend_policies(plan: Plan, values: DeployValues[Text]) -> list[Manifest]:
    """Returns the two policies of the Service; none if GKE does not run the Gateway.

    Without them, GKE's load balancer asks `GET /` of each pod and ends a response after 30 s.
    """
    if not plan.routes.backend_policies:
        return []
    return [
        _policy(plan, values, "HealthCheckPolicy", {"config": _health_check(plan)}),
        _policy(plan, values, "GCPBackendPolicy", {"timeoutSec": plan.routes.proxy_timeout}),
    ]


def _policy(plan: Plan, values: DeployValues[Text], kind: str, settings: Manifest) -> Manifest:
    return {
        "apiVersion": "networking.gke.io/v1",
        "kind": kind,
        "metadata": metadata(plan, values, plan.name),
        "spec": {
            "default": settings,
            "targetRef": {"group": "", "kind": "Service", "name": plan.name},
        },
    }


def _health_check(plan: Plan) -> Manifest:
    path, port = plan.probes.readiness.path, {"portSpecification": "USE_SERVING_PORT"}
    if path is None:
        return {"type": "GRPC", "grpcHealthCheck": port}
    return {"type": "HTTP", "httpHealthCheck": {**port, "requestPath": path}}
