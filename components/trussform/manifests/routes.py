"""The Service, and the objects that route to it: a route of the Gateway API, or Ingresses."""

from trussform.manifests.auth import AUTH_LABEL, nginx_annotations
from trussform.manifests.autoscaling import backend, interceptor_routes
from trussform.manifests.deploy_values import DeployValues, Manifest, Text
from trussform.manifests.envoy import request_id_filters
from trussform.manifests.metadata import NAME_LABEL, SKIP_AWAIT, metadata
from trussform.plan import Plan
from trussform.plan.routes import SERVICE_PORT, Rule


def service(plan: Plan, values: DeployValues[Text]) -> Manifest:
    about = metadata(plan, values, plan.name)
    # Pulumi waits for the Deployment's pods. For a Service, it would wait another 10 seconds.
    annotations = {SKIP_AWAIT: "true"}
    protocol = plan.routes.protocol
    # By its name, so that old and new pods may have different ports during an update.
    port: Manifest = {"name": protocol, "port": SERVICE_PORT, "targetPort": protocol}
    if protocol == "grpc":
        port["appProtocol"] = "kubernetes.io/h2c"
        if plan.routes.kind == "ingress" and plan.routes.controller == "traefik":
            # For an Ingress, Traefik does not look at appProtocol.
            annotations["traefik.ingress.kubernetes.io/service.serversscheme"] = "h2c"
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**about, "annotations": annotations},
        "spec": {"type": "ClusterIP", "selector": {NAME_LABEL: plan.name}, "ports": [port]},
    }


def routes(plan: Plan, values: DeployValues[Text]) -> list[Manifest]:
    if plan.routes.kind == "none":
        return []
    if plan.routes.kind == "gateway":
        through = interceptor_routes(plan, values, host(plan, values))
        return [*through, _gateway_route(plan, values)]
    if plan.routes.protocol == "grpc":
        return [_grpc_ingress(plan, values)]
    spell = _traefik if plan.routes.controller == "traefik" else _nginx
    return [manifest for rule in plan.routes.rules for manifest in spell(plan, values, rule)]


def host(plan: Plan, values: DeployValues[Text]) -> Text:
    return values.concat(plan.name, ".", values.domain)


def origin(plan: Plan, values: DeployValues[Text]) -> Text:
    """Returns the beginning of the server's URLs: scheme, host and port."""
    if plan.routes.kind == "none":
        return values.concat("http://", plan.name, ".", values.namespace, ".svc")
    port = f":{plan.routes.port}" if plan.routes.port else ""
    return values.concat(plan.routes.scheme, "://", host(plan, values), port)


def _gateway_route(plan: Plan, values: DeployValues[Text]) -> Manifest:
    parent: Manifest = {"name": values.gateway}
    if values.gateway_namespace is not None:
        parent["namespace"] = values.gateway_namespace
    if plan.routes.gateway is not None and plan.routes.gateway.listener is not None:
        parent["sectionName"] = plan.routes.gateway.listener
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


def _metadata(plan: Plan, values: DeployValues[Text], name: str) -> Manifest:
    about = metadata(plan, values, name)
    return {**about, "labels": {**about["labels"], AUTH_LABEL: plan.auth.kind}}


def _gateway_rules(plan: Plan) -> list[Manifest]:
    if plan.routes.protocol == "grpc":
        filters = [*_auth_filters(plan), *request_id_filters(plan)]
        filtered = {"filters": filters} if filters else {}
        return [{**filtered, "backendRefs": [backend(plan)]}]
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
    spec: Manifest = {
        "matches": [{"path": {"type": kind, "value": outside}}],
        "filters": [
            *_auth_filters(plan),
            {"type": "URLRewrite", "urlRewrite": {"path": path}},
            *request_id_filters(plan),
        ],
        "backendRefs": [backend(plan)],
    }
    if plan.routes.backend_policies:
        return spec  # GKE rejects a route with a timeout; its policy sets it.
    return {**spec, "timeouts": {"request": f"{plan.routes.timeout or 0}s"}}


def _auth_filters(plan: Plan) -> list[Manifest]:
    """Returns the filter that names Traefik's Middleware; Envoy's policy names the route."""
    if plan.auth.policy != "Middleware":
        return []
    reference = {"group": "traefik.io", "kind": "Middleware", "name": plan.names.auth_policy}
    return [{"type": "ExtensionRef", "extensionRef": reference}]


def _ingress(
    plan: Plan,
    values: DeployValues[Text],
    name: str,
    paths: list[Manifest],
    annotations: Manifest,
) -> Manifest:
    backend = {"service": {"name": plan.name, "port": {"number": SERVICE_PORT}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            **_metadata(plan, values, name),
            # Pulumi would wait for a load balancer's address, which some clusters never have.
            "annotations": {SKIP_AWAIT: "true", **annotations},
        },
        "spec": {
            "ingressClassName": plan.routes.ingress_class,
            **_tls(plan, values),
            "rules": [
                {
                    "host": host(plan, values),
                    "http": {"paths": [{**path, "backend": backend} for path in paths]},
                }
            ],
        },
    }


def _tls(plan: Plan, values: DeployValues[Text]) -> Manifest:
    tls = plan.routes.tls
    return {"tls": [{"hosts": [host(plan, values)], "secretName": tls.secret}]} if tls else {}


def _issued(plan: Plan, rule: str) -> Manifest:
    """Returns the annotation that asks cert-manager for the certificate.

    It is on one of the Ingresses: of several, the first that cert-manager sees would own it.
    """
    first = plan.routes.rules[0].name if plan.routes.rules else rule
    tls = plan.routes.tls
    if tls is None or tls.issuer is None or rule != first:
        return {}
    kind = "cluster-issuer" if tls.issuer_kind == "ClusterIssuer" else "issuer"
    return {f"cert-manager.io/{kind}": tls.issuer}


def _traefik_annotations(plan: Plan, values: DeployValues[Text], rewrites: list[str]) -> Manifest:
    # With it, Traefik serves the host by TLS alone, on whatever port.
    tls = {} if plan.routes.tls is None else {"traefik.ingress.kubernetes.io/router.tls": "true"}
    names = [*([plan.names.auth_policy] if plan.auth.policy == "Middleware" else []), *rewrites]
    if not names:
        return tls
    used = [part for name in names for part in (",", values.namespace, f"-{name}@kubernetescrd")]
    return {**tls, "traefik.ingress.kubernetes.io/router.middlewares": values.concat(*used[1:])}


def _traefik(plan: Plan, values: DeployValues[Text], rule: Rule) -> list[Manifest]:
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
        **_traefik_annotations(plan, values, [name]),
        **_issued(plan, rule.name),
    }
    return [middleware, _ingress(plan, values, name, paths, annotations)]


def _nginx(plan: Plan, values: DeployValues[Text], rule: Rule) -> list[Manifest]:
    end, target = ("$", rule.rewrite) if rule.match == "exact" else ("(/|$)(.*)", "/$2")
    timeout = str(plan.routes.proxy_timeout)
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
    annotated = {**prefixed, **_issued(plan, rule.name)}
    return [_ingress(plan, values, f"{plan.name}-{rule.name}", paths, annotated)]


def _grpc_ingress(plan: Plan, values: DeployValues[Text]) -> Manifest:
    annotations: Manifest = {}
    if plan.routes.controller == "traefik":
        annotations = _traefik_annotations(plan, values, [])
    if plan.routes.controller == "nginx":
        annotations = {
            "nginx.ingress.kubernetes.io/backend-protocol": "GRPC",
            "nginx.ingress.kubernetes.io/proxy-body-size": "0",
            "nginx.ingress.kubernetes.io/proxy-read-timeout": str(plan.routes.proxy_timeout),
            "nginx.ingress.kubernetes.io/proxy-send-timeout": str(plan.routes.proxy_timeout),
        }
    path = {"path": "/", "pathType": "Prefix"}
    annotations |= _issued(plan, "grpc")
    return _ingress(plan, values, f"{plan.name}-grpc", [path], annotations)
