"""The answers to the questions of `init` that a cluster gives."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from trussform.cli.doctor.gateway import CONTROLLERS
from trussform.cli.doctor.kubectl import Forbidden, Kubectl, KubectlError
from trussform.plan.gpu_labels import LABELS


class Suggestions(NamedTuple):
    """The parts of a cluster that a stage names."""

    gateways: Mapping[str, Mapping[str, Any]]
    """Fields of `route` by `NAMESPACE/NAME` of a Gateway: the controller, and the scheme and port
    unless they are those of HTTPS."""
    dialect: str | None
    """The source of the labels of its GPU nodes; None if no node has such labels."""


_CLOUDS = {"gce": "gke", "aws": "eks", "azure": "aks"}
"""Dialects by the scheme of a node's `providerID`."""
NO_SUGGESTIONS = Suggestions({}, None)


def read_cluster(context: str | None) -> Suggestions:
    """Returns the Gateways and the GPU labels of a cluster; none if it does not answer."""
    kubectl = Kubectl(context)
    try:
        kubectl.version()
        return Suggestions(_gateways(kubectl), _dialect(kubectl))
    except (KubectlError, Forbidden):
        return NO_SUGGESTIONS


def _gateways(kubectl: Kubectl) -> dict[str, dict[str, Any]]:
    found: Any = kubectl.get("gateways.gateway.networking.k8s.io", "--all-namespaces")
    classes: Any = kubectl.get("gatewayclasses.gateway.networking.k8s.io")
    controllers = {
        one["metadata"]["name"]: CONTROLLERS.get(one["spec"]["controllerName"])
        for one in (classes or {"items": ()})["items"]
    }
    return {
        f"{one['metadata']['namespace']}/{one['metadata']['name']}": {
            **_controller(controllers.get(one["spec"]["gatewayClassName"])),
            **_url(one["spec"]["listeners"]),
        }
        for one in (found or {"items": ()})["items"]
    }


def _controller(name: str | None) -> dict[str, str]:
    return {"controller": name} if name else {}


def _url(listeners: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the scheme and the port of URLs, unless they are those of HTTPS."""
    ports = {one["protocol"]: one["port"] for one in reversed(listeners)}
    if "HTTPS" in ports or "HTTP" not in ports:
        return {} if ports.get("HTTPS", 443) == 443 else {"port": ports["HTTPS"]}
    return {"scheme": "http"} | ({} if ports["HTTP"] == 80 else {"port": ports["HTTP"]})


def _dialect(kubectl: Kubectl) -> str | None:
    found: Any = kubectl.get("nodes") or {"items": []}
    nodes: list[Any] = found["items"]
    labels = {name for node in nodes for name in node["metadata"].get("labels", {})}
    clouds = {node["spec"].get("providerID", "").partition(":")[0] for node in nodes}
    for dialect in ("gpu-feature-discovery", "gke", "karpenter"):
        if LABELS[dialect] in labels:
            return dialect
    return next((dialect for cloud, dialect in _CLOUDS.items() if cloud in clouds), None)
