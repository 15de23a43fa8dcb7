"""The auth objects of each controller, and the certificates of hosts."""

# pyright: reportMissingTypeStubs=false

from collections.abc import Callable
from typing import Any

import kubernetes_validate
import pytest
from support.workspace import Workspace
from trussform.cli.render import objects
from trussform.manifests import Manifest
from trussform.plan import Plan

MakePlan = Callable[..., Plan]
ENVOY = {"controller": "envoy-gateway"}
TRAEFIK = {"controller": "traefik"}
BY_TRAEFIK = {"kind": "ingress", "controller": "traefik"}
BY_NGINX = {"kind": "ingress", "controller": "nginx"}
KEYS = {"kind": "api-key", "existing": "clients"}
FORWARD = {"kind": "forward", "service": "guard", "namespace": "guards", "port": 9000}
GRPC = {"runtime": {"transport": {"kind": "grpc"}}}
WEBSOCKET = {"runtime": {"transport": {"kind": "websocket"}}}
URL = "http://guard.guards.svc.cluster.local:9000"
ROUTES = ("HTTPRoute", "GRPCRoute", "Ingress")


def of_kind(plan: Plan, *kinds: str) -> list[Manifest]:
    return [manifest for manifest in objects(plan) if manifest["kind"] in kinds]


def one(plan: Plan, kind: str) -> Manifest:
    (manifest,) = of_kind(plan, kind)
    return manifest


def ingresses(plan: Plan) -> list[Manifest]:
    """The Ingress objects, as Kubernetes takes them."""
    made = of_kind(plan, "Ingress")
    for manifest in made:
        kubernetes_validate.validate(manifest, "1.35", strict=True)
    return made


@pytest.mark.parametrize(
    ("config", "kind", "headers"),
    [
        (None, "HTTPRoute", ["Authorization"]),
        (GRPC, "GRPCRoute", ["baseten-authorization", "Authorization"]),
    ],
)
def test_envoy_compares_the_header_of_the_key_and_hides_it_from_the_server(
    plan: MakePlan, config: dict[str, Any] | None, kind: str, headers: list[str]
) -> None:
    made = plan(config, {"route": ENVOY, "auth": KEYS})
    policy = one(made, "SecurityPolicy")
    assert policy["apiVersion"] == "gateway.envoyproxy.io/v1alpha1"
    assert policy["metadata"]["namespace"] == one(made, kind)["metadata"]["namespace"]
    assert policy["spec"] == {
        "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": kind, "name": "server"}],
        "apiKeyAuth": {
            "credentialRefs": [{"name": "clients"}],
            "extractFrom": [{"headers": headers}],
            "sanitize": True,
        },
    }


def test_keys_of_the_stack_are_a_secret_of_the_server(workspace: Workspace) -> None:
    auth = {"kind": "api-key", "keys": ["ci"]}
    stage = {"route": ENVOY, "auth": auth, "ingress_from": [{"namespace": "gateways"}]}
    made, (problem,) = workspace.plan(None, stage)
    assert problem.level == "blocks-deploy"
    keys = one(made, "SecurityPolicy")["spec"]["apiKeyAuth"]
    assert keys["credentialRefs"] == [{"name": "server-api-keys"}]


@pytest.mark.parametrize(
    ("auth", "asked"),
    [
        ({}, {}),
        ({"path": "/"}, {}),
        ({"path": "/check"}, {"path": "/check"}),
        # The request's path follows, and begins with a slash.
        ({"path": "/check/"}, {"path": "/check"}),
        ({"headers": ["X-User"]}, {"headersToBackend": ["X-User"]}),
    ],
)
def test_envoy_asks_the_auth_service(
    plan: MakePlan, auth: dict[str, Any], asked: dict[str, Any]
) -> None:
    made = plan(None, {"route": ENVOY, "auth": {**FORWARD, **auth}})
    service = {"name": "guard", "namespace": "guards", "port": 9000}
    assert one(made, "SecurityPolicy")["spec"]["extAuth"] == {
        "http": {"backendRefs": [service], **asked}
    }


def test_envoy_passes_the_metadata_of_grpc_to_the_auth_service(plan: MakePlan) -> None:
    made = plan(GRPC, {"route": ENVOY, "auth": FORWARD})
    asked = one(made, "SecurityPolicy")["spec"]["extAuth"]
    assert asked["headersToExtAuth"] == ["baseten-authorization"]


@pytest.mark.parametrize(
    ("config", "kind", "timeout"),
    [
        (None, "HTTPRoute", {"connectionIdleTimeout": "5s"}),
        (GRPC, "GRPCRoute", {"connectionIdleTimeout": "5s", "requestTimeout": "0s"}),
    ],
)
def test_envoys_limits_on_time_and_requests_are_lifted(
    plan: MakePlan, config: dict[str, Any] | None, kind: str, timeout: dict[str, str]
) -> None:
    made = plan(config, {"route": ENVOY, "auth": "none"})
    policy = one(made, "BackendTrafficPolicy")
    assert policy["metadata"] | {"labels": {}} == {
        "name": "server-traffic",
        "namespace": "models",
        "labels": {},
    }
    assert policy["spec"]["targetRefs"] == [
        {"group": "gateway.networking.k8s.io", "kind": kind, "name": "server"}
    ]
    assert policy["spec"]["timeout"] == {"http": timeout}
    assert policy["spec"]["circuitBreaker"] == {
        "maxConnections": 4294967295,
        "maxPendingRequests": 4294967295,
        "maxParallelRequests": 4294967295,
    }
    # Without it, a policy of the whole Gateway would end for this route.
    assert policy["spec"]["mergeType"] == "StrategicMerge"
    for route in (TRAEFIK, BY_TRAEFIK, BY_NGINX, {}):
        assert of_kind(plan(config, {"route": route, "auth": "none"}), policy["kind"]) == []


@pytest.mark.parametrize("config", [None, GRPC])
def test_envoy_gives_each_request_basetens_id(
    plan: MakePlan, config: dict[str, Any] | None
) -> None:
    made = plan(config, {"route": ENVOY, "auth": "none", "environment": "production"})
    (route,) = of_kind(made, "HTTPRoute", "GRPCRoute")
    header = {"set": [{"name": "X-Baseten-Request-Id", "value": "%REQ(X-REQUEST-ID)%"}]}
    for rule in route["spec"]["rules"]:
        for filter in (
            {"type": "RequestHeaderModifier", "requestHeaderModifier": header},
            {"type": "ResponseHeaderModifier", "responseHeaderModifier": header},
        ):
            assert filter in rule["filters"]
    for other in (TRAEFIK, {}):
        made = plan(config, {"route": other, "auth": "none"})
        assert "REQUEST-ID" not in str(objects(made))


def test_a_grpc_server_behind_a_gateway_of_unknown_kind_is_a_warning(
    workspace: Workspace,
) -> None:
    def about(route: dict[str, Any]) -> list[str]:
        problems = workspace.plan(GRPC, {"route": route, "auth": "none"})[1]
        return [f"{p.level}: {p.message}; {p.fix}" for p in problems if p.field == "route"]

    assert about({}) == [
        "warning: a GRPCRoute cannot set a timeout, and Envoy aborts gRPC calls after 15 s by "
        "default; name the Gateway's controller: `controller: envoy-gateway` or `traefik`"
    ]
    assert about(ENVOY) == about(TRAEFIK) == about(BY_TRAEFIK) == []


def test_traefiks_gateway_asks_before_it_rewrites(plan: MakePlan) -> None:
    auth = {**FORWARD, "path": "/check", "headers": ["X-User"]}
    made = plan(None, {"route": TRAEFIK, "auth": auth})
    asks = one(made, "Middleware")
    assert (asks["apiVersion"], asks["metadata"]["name"]) == ("traefik.io/v1alpha1", "server-auth")
    assert asks["spec"] == {
        "forwardAuth": {"address": f"{URL}/check", "authResponseHeaders": ["X-User"]}
    }
    reference = {"group": "traefik.io", "kind": "Middleware", "name": "server-auth"}
    for rule in one(made, "HTTPRoute")["spec"]["rules"]:
        asking, rewriting = rule["filters"]
        assert asking == {"type": "ExtensionRef", "extensionRef": reference}
        assert rewriting["type"] == "URLRewrite"


def test_traefiks_gateway_asks_before_a_grpc_call(plan: MakePlan) -> None:
    made = plan(GRPC, {"route": TRAEFIK, "auth": FORWARD})
    assert one(made, "Middleware")["spec"] == {"forwardAuth": {"address": f"{URL}/"}}
    reference = {"group": "traefik.io", "kind": "Middleware", "name": "server-auth"}
    (rule,) = one(made, "GRPCRoute")["spec"]["rules"]
    assert rule["filters"] == [{"type": "ExtensionRef", "extensionRef": reference}]


@pytest.mark.parametrize(
    ("config", "used"),
    [
        (
            WEBSOCKET,
            [
                "models-server-auth@kubernetescrd,models-server-predict@kubernetescrd",
                "models-server-auth@kubernetescrd,models-server-sync@kubernetescrd",
                "models-server-auth@kubernetescrd,models-server-websocket@kubernetescrd",
            ],
        ),
        (GRPC, ["models-server-auth@kubernetescrd"]),
    ],
)
def test_traefiks_ingresses_ask_before_they_rewrite(
    plan: MakePlan, config: dict[str, Any], used: list[str]
) -> None:
    made = plan(config, {"route": BY_TRAEFIK, "auth": FORWARD})
    name = "traefik.ingress.kubernetes.io/router.middlewares"
    assert [at["metadata"]["annotations"][name] for at in ingresses(made)] == used
    names = [manifest["metadata"]["name"] for manifest in of_kind(made, "Middleware")]
    assert names[0] == "server-auth"
    assert {f"models-{name}@kubernetescrd" for name in names} == set(",".join(used).split(","))


def test_nginx_asks_on_every_path(plan: MakePlan) -> None:
    auth = {**FORWARD, "path": "/check", "headers": ["X-User", "X-Team"]}
    made = plan(WEBSOCKET, {"route": BY_NGINX, "auth": auth})
    prefix = "nginx.ingress.kubernetes.io"
    asked = [manifest["metadata"]["annotations"] for manifest in ingresses(made)]
    assert len(asked) == 3
    for annotations in asked:
        assert annotations[f"{prefix}/auth-url"] == f"{URL}/check"
        assert annotations[f"{prefix}/auth-response-headers"] == "X-User,X-Team"
    without = plan(None, {"route": BY_NGINX, "auth": FORWARD})
    for manifest in ingresses(without):
        assert f"{prefix}/auth-response-headers" not in manifest["metadata"]["annotations"]


@pytest.mark.parametrize("config", [None, GRPC])
@pytest.mark.parametrize(
    ("route", "auth"),
    [
        (ENVOY, KEYS),
        (ENVOY, FORWARD),
        (TRAEFIK, FORWARD),
        (BY_TRAEFIK, FORWARD),
        (BY_NGINX, "none"),
        ({}, "none"),
    ],
)
def test_every_route_says_how_it_knows_its_callers_and_comes_after_its_guard(
    plan: MakePlan, route: dict[str, Any], auth: Any, config: dict[str, Any] | None
) -> None:
    made = plan(config, {"route": route, "auth": auth})
    kind = "none" if auth == "none" else auth["kind"]
    labels = [at["metadata"]["labels"]["trussform/auth"] for at in of_kind(made, *ROUTES)]
    assert set(labels) == {kind}
    order = [manifest["kind"] for manifest in objects(made)]
    route_at = min(order.index(name) for name in ROUTES if name in order)
    guards = [
        at
        for at, manifest in enumerate(objects(made))
        if manifest["metadata"]["name"] == "server-auth"
    ]
    assert len(guards) == (kind != "none")
    assert all(order.index("Deployment") < at < route_at for at in guards)


def test_nobody_is_asked_where_the_stage_says_so(plan: MakePlan) -> None:
    for route in (ENVOY, TRAEFIK, BY_TRAEFIK, BY_NGINX):
        made = plan(None, {"route": route, "auth": "none"})
        assert of_kind(made, "SecurityPolicy") == []
        assert "server-auth" not in str(objects(made))
        assert "auth-url" not in str(objects(made))


@pytest.mark.parametrize("config", [None, WEBSOCKET, GRPC])
@pytest.mark.parametrize("route", [BY_TRAEFIK, BY_NGINX])
@pytest.mark.parametrize(
    ("tls", "secret", "order"),
    [
        ({"secret": "mine"}, "mine", None),
        ({"issuer": "acme"}, "server-tls", "cert-manager.io/cluster-issuer"),
        ({"issuer": "acme", "issuer_kind": "Issuer"}, "server-tls", "cert-manager.io/issuer"),
    ],
)
def test_the_host_has_one_certificate_ordered_once(
    plan: MakePlan,
    config: dict[str, Any] | None,
    route: dict[str, Any],
    tls: dict[str, str],
    secret: str,
    order: str | None,
) -> None:
    made = ingresses(plan(config, {"route": {**route, "tls": tls}}))
    for manifest in made:
        assert manifest["spec"]["tls"] == [
            {"hosts": ["server.models.example.com"], "secretName": secret}
        ]
        by_tls = manifest["metadata"]["annotations"].get("traefik.ingress.kubernetes.io/router.tls")
        assert by_tls == ("true" if route == BY_TRAEFIK else None)
    orders = [
        (name, text)
        for manifest in made
        for name, text in manifest["metadata"]["annotations"].items()
        if name.startswith("cert-manager.io/")
    ]
    assert orders == ([(order, "acme")] if order else [])


@pytest.mark.parametrize("route", [BY_TRAEFIK, BY_NGINX])
def test_without_a_certificate_of_its_own_a_host_has_the_controllers(
    plan: MakePlan, route: dict[str, Any]
) -> None:
    for manifest in ingresses(plan(None, {"route": route})):
        assert "tls" not in manifest["spec"]
        assert "router.tls" not in str(manifest["metadata"]["annotations"])
