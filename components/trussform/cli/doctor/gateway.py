"""The Gateways of the routes: their controllers and listeners."""

from collections.abc import Iterator, Mapping
from typing import Any

from trussform.cli.doctor.finding import Finding, Level
from trussform.cli.doctor.kubectl import Kubectl
from trussform.plan import Plan

CONTROLLERS = {
    "gateway.envoyproxy.io/gatewayclass-controller": "envoy-gateway",
    "traefik.io/gateway-controller": "traefik",
    "networking.gke.io/gateway": "gke",
}
"""The word of `route.controller` for each `controllerName` of a GatewayClass."""


def check_gateways(plans: Mapping[str, Plan], kubectl: Kubectl) -> Iterator[Finding]:
    """Yields the findings about each Gateway that the stack names."""
    seen: set[tuple[Any, ...]] = set()
    for plan in plans.values():
        wanted = plan.routes.gateway
        if wanted is None or wanted.name is None:
            continue
        space = wanted.namespace or plan.namespace.name
        key = (space, wanted, plan.namespace.name, plan.routes.domain)
        if key in seen:
            continue
        seen.add(key)
        subject = f"Gateway {space}/{wanted.name}"
        gateway = kubectl.get("gateways.gateway.networking.k8s.io", wanted.name, "-n", space)
        if gateway is None:
            fix = "create it, or correct `route.name` and `route.namespace` of the stage"
            yield Finding("problem", subject, "does not exist", fix)
            continue
        class_name = gateway["spec"]["gatewayClassName"]
        kind = kubectl.get("gatewayclasses.gateway.networking.k8s.io", class_name)
        own: Any = kubectl.get("namespace", plan.namespace.name) or {"metadata": {}}
        labels: Mapping[str, str] = own["metadata"].get("labels", {})
        found = [
            *_programmed(gateway),
            *_controller(plan, kind),
            *_listeners(plan, gateway, space, labels),
        ]
        for level, text, fix in found:
            yield Finding(level, subject, text, fix)
        if not found:
            yield Finding("fine", subject, "is programmed and accepts the routes")


Complaint = tuple[Level, str, str]
"""A level, an observation and its remedy."""


def _programmed(gateway: Any) -> Iterator[Complaint]:
    """Yields a complaint if no controller has set the Gateway up."""
    conditions = gateway.get("status", {}).get("conditions", ())
    for condition in conditions:
        if condition["type"] == "Programmed" and condition["status"] == "True":
            return
    messages = [one.get("message", "") for one in conditions if one["status"] != "True"]
    text = f"is not programmed: {'; '.join(messages) or 'it has no conditions'}"
    yield "problem", text, "check that its controller runs"


def _controller(plan: Plan, kind: Any) -> Iterator[Complaint]:
    """Yields a complaint if another controller runs the Gateway than the stage says."""
    if kind is None:
        yield "problem", "its GatewayClass does not exist", "install the controller"
        return
    name = kind["spec"]["controllerName"]
    actual, said = CONTROLLERS.get(name), plan.routes.controller
    if said == actual or (said is None and actual is None):
        return
    text = f"the controller {name} runs it, and the stage has "
    if said is None:
        # The objects of the Gateway API work with every controller but GKE's.
        level: Level = "problem" if actual == "gke" else "warning"
        yield level, f"{text}no `controller`", f"add `controller: {actual}` to the route"
        return
    fix = f"write `controller: {actual}`" if actual else "remove `controller` from the route"
    yield "problem", f"{text}`controller: {said}`", fix


def _listeners(
    plan: Plan, gateway: Any, space: str, labels: Mapping[str, str]
) -> Iterator[Complaint]:
    """Yields a complaint if no listener accepts the routes of the server."""
    name = plan.routes.gateway.listener if plan.routes.gateway else None
    listeners = [one for one in gateway["spec"]["listeners"] if name in (None, one["name"])]
    if not listeners:
        names = ", ".join(one["name"] for one in gateway["spec"]["listeners"])
        fix = f"correct `route.listener` of the stage: {names}"
        yield "problem", f"has no listener `{name}`", fix
        return
    here = plan.namespace.name
    open_here = [one for one in listeners if _allows(one, here, space, labels)]
    if not open_here:
        text = f"no listener accepts routes of the namespace `{here}`"
        yield "problem", text, "set `allowedRoutes.namespaces` of the listener"
        return
    host = f"{plan.name}.{plan.routes.domain}" if plan.routes.domain else None
    if host and not any(_matches(one.get("hostname"), host) for one in open_here):
        names = ", ".join(one["hostname"] for one in open_here)
        text = f"no listener has the host `{host}`; they have {names}"
        yield "problem", text, "correct `domain` of the stage"


def _allows(listener: Any, here: str, space: str, labels: Mapping[str, str]) -> bool:
    """Returns true if a listener accepts routes of a namespace (`allowedRoutes`)."""
    namespaces = listener.get("allowedRoutes", {}).get("namespaces", {})
    source = namespaces.get("from", "Same")
    if source == "Same":
        return here == space
    if source != "Selector":
        return source == "All"
    selector = namespaces.get("selector", {})
    own = {"kubernetes.io/metadata.name": here, **labels}
    wanted: dict[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= own.items() and all(
        _selects(expression, own) for expression in selector.get("matchExpressions", ())
    )


def _selects(expression: Any, labels: Mapping[str, str]) -> bool:
    """Returns true if a set-based requirement holds for labels."""
    key, values = expression["key"], expression.get("values", ())
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def _matches(pattern: str | None, host: str) -> bool:
    """Returns true if a listener's host, which may begin with `*.`, covers a host."""
    if not pattern or pattern == host:
        return True
    return pattern.startswith("*.") and host.endswith(pattern[1:])
