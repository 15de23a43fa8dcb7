"""The object that checks callers: a SecurityPolicy of Envoy Gateway, a Middleware of Traefik, or
annotations for ingress-nginx."""

from trussform.manifests.deploy_values import DeployValues, Manifest, Text
from trussform.manifests.metadata import metadata
from trussform.plan import Plan
from trussform.plan.auth import Forward

AUTH_LABEL = "trussform/auth"
"""The kind of auth; on every route."""


def auth_policies(plan: Plan, values: DeployValues[Text]) -> list[Manifest]:
    """Returns the object that the routes refer to; a route without it serves nobody."""
    if plan.auth.policy == "SecurityPolicy":
        return [_security_policy(plan, values)]
    if plan.auth.policy == "Middleware" and plan.auth.forward is not None:
        return [_middleware(plan, values, plan.auth.forward)]
    return []


def _security_policy(plan: Plan, values: DeployValues[Text]) -> Manifest:
    kind = "GRPCRoute" if plan.routes.protocol == "grpc" else "HTTPRoute"
    target = {"group": "gateway.networking.k8s.io", "kind": kind, "name": plan.name}
    forward = plan.auth.forward
    check = _api_keys(plan, values) if forward is None else _ask(plan, forward)
    return {
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "SecurityPolicy",
        "metadata": metadata(plan, values, plan.names.auth_policy),
        "spec": {"targetRefs": [target], **check},
    }


def _api_keys(plan: Plan, values: DeployValues[Text]) -> Manifest:
    return {
        "apiKeyAuth": {
            "credentialRefs": [{"name": values.api_keys}],
            "extractFrom": [{"headers": [*_grpc_headers(plan), "Authorization"]}],
            "sanitize": True,
        }
    }


def _ask(plan: Plan, forward: Forward) -> Manifest:
    service = {"name": forward.service, "namespace": forward.namespace, "port": forward.port}
    headers = {"headersToBackend": list(forward.headers)} if forward.headers else {}
    # Envoy puts it before the request's own path, which begins with a `/` of its own.
    before = forward.path.rstrip("/")
    path = {"path": before} if before else {}
    asked = _grpc_headers(plan)  # Authorization is always among them.
    return {
        "extAuth": {
            "http": {"backendRefs": [service], **path, **headers},
            **({"headersToExtAuth": asked} if asked else {}),
        }
    }


def _grpc_headers(plan: Plan) -> list[str]:
    """Returns the metadata in which Baseten's gRPC clients send their key, before Authorization."""
    return ["baseten-authorization"] if plan.routes.protocol == "grpc" else []


def key_entries(client: str, key: str) -> dict[str, str]:
    """Returns the entries of a Secret by which one key opens.

    Envoy Gateway strips a leading `Bearer ` before it compares, and compares all else whole.
    """
    return {f"{client}.bearer": key, f"{client}.api-key": f"Api-Key {key}"}


def _middleware(plan: Plan, values: DeployValues[Text], forward: Forward) -> Manifest:
    headers = {"authResponseHeaders": list(forward.headers)} if forward.headers else {}
    return {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "Middleware",
        "metadata": metadata(plan, values, plan.names.auth_policy),
        "spec": {"forwardAuth": {"address": _url(forward), **headers}},
    }


def nginx_annotations(plan: Plan) -> dict[str, str]:
    """Returns the annotations that make ingress-nginx ask before each request."""
    forward = plan.auth.forward
    if plan.auth.policy != "annotations" or forward is None:
        return {}
    headers = {"auth-response-headers": ",".join(forward.headers)} if forward.headers else {}
    return {"auth-url": _url(forward), **headers}


def _url(forward: Forward) -> str:
    host = f"{forward.service}.{forward.namespace}.svc.cluster.local"
    return f"http://{host}:{forward.port}{forward.path}"
