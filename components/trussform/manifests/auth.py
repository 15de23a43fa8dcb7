"""What lets callers in: a SecurityPolicy of Envoy Gateway's, a Middleware of Traefik's, or
annotations for ingress-nginx."""

from typing import Any

from trussform.manifests.deploy_values import Manifest, Values
from trussform.manifests.metadata import metadata
from trussform.plan import Plan
from trussform.stage import ApiKeyAuth, ForwardAuth, GatewayRoute, IngressRoute

AUTH_LABEL = "trussform/auth"
"""How a route knows its callers; on every route."""


def guards(plan: Plan, values: Values) -> list[Manifest]:
    """The objects that guard the routes; a route without its guard serves nobody."""
    if plan.access.kind == "none":
        return []
    if _controller(plan) == "envoy-gateway":
        return [_security_policy(plan, values)]
    if _controller(plan) == "traefik" and isinstance(plan.access.auth, ForwardAuth):
        return [_middleware(plan, values, plan.access.auth)]
    return []


def guard_name(plan: Plan) -> str:
    return f"{plan.name}-auth"


def has_middleware(plan: Plan) -> bool:
    """Whether a Middleware of Traefik's stands before the server."""
    return plan.access.kind == "forward" and _controller(plan) == "traefik"


def _controller(plan: Plan) -> str | None:
    route = plan.routes.route
    return route.controller if isinstance(route, GatewayRoute | IngressRoute) else None


def _security_policy(plan: Plan, values: Values) -> Manifest:
    kind = "GRPCRoute" if plan.routes.protocol == "grpc" else "HTTPRoute"
    target = {"group": "gateway.networking.k8s.io", "kind": kind, "name": plan.name}
    auth = plan.access.auth
    how: dict[str, Any] = {}
    if isinstance(auth, ApiKeyAuth):
        how["apiKeyAuth"] = {
            "credentialRefs": [{"name": values.api_keys}],
            "extractFrom": [{"headers": [*_grpc_headers(plan), "Authorization"]}],
            "sanitize": True,
        }
    if isinstance(auth, ForwardAuth):
        service = {"name": auth.service, "namespace": auth.namespace, "port": auth.port}
        headers = {"headersToBackend": auth.headers} if auth.headers else {}
        # Envoy puts it before the request's own path, which begins with a `/` of its own.
        before = auth.path.rstrip("/")
        path = {"path": before} if before else {}
        asked = _grpc_headers(plan)  # Authorization is always among them.
        how["extAuth"] = {
            "http": {"backendRefs": [service], **path, **headers},
            **({"headersToExtAuth": asked} if asked else {}),
        }
    return {
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "SecurityPolicy",
        "metadata": metadata(plan, values, guard_name(plan)),
        "spec": {"targetRefs": [target], **how},
    }


def _grpc_headers(plan: Plan) -> list[str]:
    """Returns the metadata in which Baseten's gRPC clients send their key, before Authorization."""
    return ["baseten-authorization"] if plan.routes.protocol == "grpc" else []


def key_entries(client: str, key: str) -> dict[str, str]:
    """Returns the entries of a Secret by which one key opens.

    Envoy Gateway strips a leading `Bearer ` before it compares, and compares all else whole.
    """
    return {f"{client}.bearer": key, f"{client}.api-key": f"Api-Key {key}"}


def _middleware(plan: Plan, values: Values, auth: ForwardAuth) -> Manifest:
    headers = {"authResponseHeaders": auth.headers} if auth.headers else {}
    return {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "Middleware",
        "metadata": metadata(plan, values, guard_name(plan)),
        "spec": {"forwardAuth": {"address": _url(auth), **headers}},
    }


def nginx_annotations(plan: Plan) -> dict[str, str]:
    """What makes ingress-nginx ask before each request."""
    auth = plan.access.auth
    if not isinstance(auth, ForwardAuth):
        return {}
    headers = {"auth-response-headers": ",".join(auth.headers)} if auth.headers else {}
    return {"auth-url": _url(auth), **headers}


def _url(auth: ForwardAuth) -> str:
    return f"http://{auth.service}.{auth.namespace}.svc.cluster.local:{auth.port}{auth.path}"
