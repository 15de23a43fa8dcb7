"""The Service, and what brings requests to it: a route of the Gateway API, or Ingress objects."""

from trussform.manifests.auth import AUTH_LABEL, guard_name, has_middleware, nginx_annotations
from trussform.manifests.deploy_values import Manifest, Text, Values
from trussform.manifests.envoy import request_id_filters
from trussform.manifests.metadata import NAME_LABEL, metadata
from trussform.plan import Plan
from trussform.plan.routes import Rule
from trussform.stage import GatewayRoute, IngressRoute, IssuedTls, NoRoute

PORT = 80
_DAY = 86_400


def service(plan: Plan, values: Values) -> Manifest:
    about = metadata(plan, values, plan.name)
    protocol = plan.routes.protocol
    port: Manifest = {"name": protocol, "port": PORT, "targetPort": plan.probes.port}
    if protocol == "grpc":
        port["appProtocol"] = "kubernetes.io/h2c"
        if (
            isinstance(plan.routes.route, IngressRoute)
            and plan.routes.route.controller == "traefik"
        ):
            # For an Ingress, Traefik does not look at appProtocol.
            about["annotations"] = {"traefik.ingress.kubernetes.io/service.serversscheme": "h2c"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": about,
        "spec": {"type": "ClusterIP", "selector": {NAME_LABEL: plan.name}, "ports": [port]},
    }


def routes(plan: Plan, values: Values) -> list[Manifest]:
    route = plan.routes.route
    if isinstance(route, GatewayRoute):
        return [_gateway_route(plan, values, route)]
    if isinstance(route, IngressRoute) and plan.routes.protocol == "grpc":
        return [_grpc_ingress(plan, values, route)]
    if isinstance(route, IngressRoute):
        spell = _traefik if route.controller == "traefik" else _nginx
        return [
            manifest for rule in plan.routes.rules for manifest in spell(plan, values, route, rule)
        ]
    return []


def host(plan: Plan, values: Values) -> Text:
    return values.concat(plan.name, ".", values.domain)


def origin(plan: Plan, values: Values) -> Text:
    """What the URLs of the server begin with."""
    route = plan.routes.route
    if isinstance(route, NoRoute):
        return values.concat("http://", plan.name, ".", values.namespace, ".svc")
    port = f":{route.port}" if route.port else ""
    return values.concat(route.scheme, "://", host(plan, values), port)


def _gateway_route(plan: Plan, values: Values, route: GatewayRoute) -> Manifest:
    parent: Manifest = {"name": values.gateway}
    if values.gateway_namespace is not None:
        parent["namespace"] = values.gateway_namespace
    if route.listener is not None:
        parent["sectionName"] = route.listener
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GRPCRoute" if plan.routes.protocol == "grpc" else "HTTPRoute",
        "metadata": _metadata(plan, values, plan.name),
        "spec": {
            "parentRefs": [parent],
            "hostnames": [host(plan, values)],
            "rules": _gateway_rules(plan),
        },
    }


def _metadata(plan: Plan, values: Values, name: str) -> Manifest:
    about = metadata(plan, values, name)
    return {**about, "labels": {**about["labels"], AUTH_LABEL: plan.access.kind}}


def _gateway_rules(plan: Plan) -> list[Manifest]:
    if plan.routes.protocol == "grpc":
        filters = [*_guards(plan), *request_id_filters(plan)]
        filtered = {"filters": filters} if filters else {}
        return [{**filtered, "backendRefs": [{"name": plan.name, "port": PORT}]}]
    # A rule that replaces a prefix may match one path only.
    return [_http_rule(plan, rule, path) for rule in plan.routes.rules for path in rule.paths]


def _http_rule(plan: Plan, rule: Rule, outside: str) -> Manifest:
    if rule.match == "exact":
        kind, path = "Exact", {"type": "ReplaceFullPath", "replaceFullPath": rule.rewrite}
    else:
        kind, path = (
            "PathPrefix",
            {"type": "ReplacePrefixMatch", "replacePrefixMatch": rule.rewrite},
        )
    return {
        "matches": [{"path": {"type": kind, "value": outside}}],
        "filters": [
            *_guards(plan),
            {"type": "URLRewrite", "urlRewrite": {"path": path}},
            *request_id_filters(plan),
        ],
        "backendRefs": [{"name": plan.name, "port": PORT}],
        "timeouts": {"request": f"{plan.routes.timeout or 0}s"},
    }


def _guards(plan: Plan) -> list[Manifest]:
    """What asks first, where the route itself has to name it."""
    if not has_middleware(plan):
        return []
    reference = {"group": "traefik.io", "kind": "Middleware", "name": guard_name(plan)}
    return [{"type": "ExtensionRef", "extensionRef": reference}]


def _ingress(
    plan: Plan,
    values: Values,
    route: IngressRoute,
    name: str,
    paths: list[Manifest],
    annotations: Manifest,
) -> Manifest:
    backend = {"service": {"name": plan.name, "port": {"number": PORT}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            **_metadata(plan, values, name),
            # Pulumi would wait for a load balancer's address, which some clusters never have.
            "annotations": {"pulumi.com/skipAwait": "true", **annotations},
        },
        "spec": {
            "ingressClassName": route.class_name or route.controller,
            **_tls(plan, values, route),
            "rules": [
                {
                    "host": host(plan, values),
                    "http": {"paths": [{**path, "backend": backend} for path in paths]},
                }
            ],
        },
    }


def _tls(plan: Plan, values: Values, route: IngressRoute) -> Manifest:
    if route.tls is None:
        return {}
    secret = f"{plan.name}-tls" if isinstance(route.tls, IssuedTls) else route.tls.secret
    return {"tls": [{"hosts": [host(plan, values)], "secretName": secret}]}


def _issued(plan: Plan, route: IngressRoute, rule: str) -> Manifest:
    """cert-manager's order, on one of the Ingresses: of several, whichever it sees first would be
    the certificate's owner."""
    first = plan.routes.rules[0].name if plan.routes.rules else rule
    if not isinstance(route.tls, IssuedTls) or rule != first:
        return {}
    kind = "cluster-issuer" if route.tls.issuer_kind == "ClusterIssuer" else "issuer"
    return {f"cert-manager.io/{kind}": route.tls.issuer}


def _traefik_annotations(
    plan: Plan, values: Values, route: IngressRoute, rewrites: list[str]
) -> Manifest:
    # With it, Traefik serves the host by TLS alone, on whatever port.
    tls = {} if route.tls is None else {"traefik.ingress.kubernetes.io/router.tls": "true"}
    names = [*([guard_name(plan)] if has_middleware(plan) else []), *rewrites]
    if not names:
        return tls
    used = [part for name in names for part in (",", values.namespace, f"-{name}@kubernetescrd")]
    return {**tls, "traefik.ingress.kubernetes.io/router.middlewares": values.concat(*used[1:])}


def _traefik(plan: Plan, values: Values, route: IngressRoute, rule: Rule) -> list[Manifest]:
    name = f"{plan.name}-{rule.name}"
    paths = [{"path": path, "pathType": "Exact"} for path in rule.paths]
    if rule.match == "exact":
        rewrite: Manifest = {"replacePath": {"path": rule.rewrite}}
    else:
        # Traefik's prefix is one of text: that of `/sync` alone would match `/syncope`.
        paths += [{"path": f"{path}/", "pathType": "Prefix"} for path in rule.paths]
        rewrite = {"stripPrefix": {"prefixes": list(rule.paths)}}
    middleware = {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "Middleware",
        "metadata": metadata(plan, values, name),
        "spec": rewrite,
    }
    annotations = {
        **_traefik_annotations(plan, values, route, [name]),
        **_issued(plan, route, rule.name),
    }
    return [middleware, _ingress(plan, values, route, name, paths, annotations)]


def _nginx(plan: Plan, values: Values, route: IngressRoute, rule: Rule) -> list[Manifest]:
    end, target = ("$", rule.rewrite) if rule.match == "exact" else ("(/|$)(.*)", "/$2")
    timeout = str(plan.routes.timeout or _DAY)
    annotations = {
        "use-regex": "true",
        "rewrite-target": target,
        "proxy-body-size": "0",
        "proxy-buffering": "off",
        "proxy-read-timeout": timeout,
        "proxy-send-timeout": timeout,
        **nginx_annotations(plan),
    }
    prefixed = {f"nginx.ingress.kubernetes.io/{name}": text for name, text in annotations.items()}
    paths = [{"path": f"{path}{end}", "pathType": "ImplementationSpecific"} for path in rule.paths]
    return [_ingress(plan, values, route, f"{plan.name}-{rule.name}", paths,
                     {**prefixed, **_issued(plan, route, rule.name)})]  # fmt: skip


def _grpc_ingress(plan: Plan, values: Values, route: IngressRoute) -> Manifest:
    annotations: Manifest = {}
    if route.controller == "traefik":
        annotations = _traefik_annotations(plan, values, route, [])
    if route.controller == "nginx":
        annotations = {
            "nginx.ingress.kubernetes.io/backend-protocol": "GRPC",
            "nginx.ingress.kubernetes.io/proxy-body-size": "0",
            "nginx.ingress.kubernetes.io/proxy-read-timeout": str(_DAY),
            "nginx.ingress.kubernetes.io/proxy-send-timeout": str(_DAY),
        }
    path = {"path": "/", "pathType": "Prefix"}
    annotations |= _issued(plan, route, "grpc")
    return _ingress(plan, values, route, f"{plan.name}-grpc", [path], annotations)
