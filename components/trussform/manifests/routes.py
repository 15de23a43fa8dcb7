"""The Service, and what brings requests to it: an HTTPRoute, or Ingress objects."""

from trussform.manifests.deployment import NAME_LABEL, metadata
from trussform.manifests.values import Manifest, Text, Values
from trussform.plan import Plan
from trussform.plan.routes import Rule
from trussform.stage import GatewayRoute, IngressRoute

PORT = 80
_DAY = 86_400


def service(plan: Plan, values: Values) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(plan, values, plan.name),
        "spec": {
            "type": "ClusterIP",
            "selector": {NAME_LABEL: plan.name},
            "ports": [{"name": "http", "port": PORT, "targetPort": plan.probes.port}],
        },
    }


def routes(plan: Plan, values: Values) -> list[Manifest]:
    route = plan.routes.route
    if isinstance(route, GatewayRoute):
        return [_http_route(plan, values, route)]
    if isinstance(route, IngressRoute):
        spell = _traefik if route.controller == "traefik" else _nginx
        return [
            manifest for rule in plan.routes.rules for manifest in spell(plan, values, route, rule)
        ]
    return []


def host(plan: Plan, values: Values) -> Text:
    return values.concat(plan.name, ".", values.domain)


def _http_route(plan: Plan, values: Values, route: GatewayRoute) -> Manifest:
    parent: Manifest = {"name": values.gateway}
    if values.gateway_namespace is not None:
        parent["namespace"] = values.gateway_namespace
    if route.listener is not None:
        parent["sectionName"] = route.listener
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": metadata(plan, values, plan.name),
        "spec": {
            "parentRefs": [parent],
            "hostnames": [host(plan, values)],
            "rules": [_http_rule(plan, rule) for rule in plan.routes.rules],
        },
    }


def _http_rule(plan: Plan, rule: Rule) -> Manifest:
    if rule.match == "exact":
        kind, path = "Exact", {"type": "ReplaceFullPath", "replaceFullPath": rule.rewrite}
    else:
        kind, path = (
            "PathPrefix",
            {"type": "ReplacePrefixMatch", "replacePrefixMatch": rule.rewrite},
        )
    return {
        "matches": [{"path": {"type": kind, "value": rule.path}}],
        "filters": [{"type": "URLRewrite", "urlRewrite": {"path": path}}],
        "backendRefs": [{"name": plan.name, "port": PORT}],
        "timeouts": {"request": f"{plan.routes.timeout or 0}s"},
    }


def _ingress(
    plan: Plan,
    values: Values,
    route: IngressRoute,
    rule: Rule,
    path: Manifest,
    annotations: Manifest,
) -> Manifest:
    backend = {"service": {"name": plan.name, "port": {"number": PORT}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            **metadata(plan, values, f"{plan.name}-{rule.name}"),
            # Pulumi would wait for a load balancer's address, which some clusters never have.
            "annotations": {"pulumi.com/skipAwait": "true", **annotations},
        },
        "spec": {
            "ingressClassName": route.class_name or route.controller,
            "rules": [
                {
                    "host": host(plan, values),
                    "http": {"paths": [{**path, "backend": backend}]},
                }
            ],
        },
    }


def _traefik(plan: Plan, values: Values, route: IngressRoute, rule: Rule) -> list[Manifest]:
    name = f"{plan.name}-{rule.name}"
    if rule.match == "exact":
        path_type, rewrite = "Exact", {"replacePath": {"path": rule.rewrite}}
    else:
        path_type, rewrite = "Prefix", {"stripPrefix": {"prefixes": [rule.path]}}
    middleware = {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "Middleware",
        "metadata": metadata(plan, values, name),
        "spec": rewrite,
    }
    used = values.concat(values.namespace, f"-{name}@kubernetescrd")
    path = {"path": rule.path, "pathType": path_type}
    annotations = {"traefik.ingress.kubernetes.io/router.middlewares": used}
    return [middleware, _ingress(plan, values, route, rule, path, annotations)]


def _nginx(plan: Plan, values: Values, route: IngressRoute, rule: Rule) -> list[Manifest]:
    if rule.match == "exact":
        pattern, target = f"{rule.path}$", rule.rewrite
    else:
        pattern, target = f"{rule.path}(/|$)(.*)", "/$2"
    timeout = str(plan.routes.timeout or _DAY)
    annotations = {
        "use-regex": "true",
        "rewrite-target": target,
        "proxy-body-size": "0",
        "proxy-buffering": "off",
        "proxy-read-timeout": timeout,
        "proxy-send-timeout": timeout,
    }
    prefixed = {f"nginx.ingress.kubernetes.io/{name}": text for name, text in annotations.items()}
    path = {"path": pattern, "pathType": "ImplementationSpecific"}
    return [_ingress(plan, values, route, rule, path, prefixed)]
