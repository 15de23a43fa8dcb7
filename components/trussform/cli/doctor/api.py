"""The kinds of objects that a stack needs, and the version of the Gateway API."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from trussform.cli.doctor.finding import Finding
from trussform.cli.doctor.kubectl import Kubectl
from trussform.cli.render import objects
from trussform.manifests import Manifest
from trussform.plan import Plan
from trussform.problem import counted

MINIMUM = (1, 30)
"""The first version of Kubernetes with every field that Trussform writes: `preStop.sleep`."""
GATEWAY_API = "gateway.networking.k8s.io"
MINIMUM_GATEWAY_API = (1, 2)
"""The first version of the Gateway API with timeouts of HTTPRoutes in its standard channel."""
_BUNDLE = f"{GATEWAY_API}/bundle-version"
_SOURCES = {
    GATEWAY_API: "install the Gateway API",
    "gateway.envoyproxy.io": "install Envoy Gateway",
    "traefik.io": "install Traefik with its CRDs",
    "networking.gke.io": "enable the Gateway API of the GKE cluster",
    "keda.sh": "install KEDA",
    "http.keda.sh": "install KEDA's HTTP add-on, 0.15 or later",
    "external-secrets.io": "install the External Secrets Operator",
    "cilium.io": "install Cilium",
}


Kind = tuple[str, str]
"""An API version and a kind: `("apps/v1", "Deployment")`."""


def check_kinds(plans: Mapping[str, Plan], kubectl: Kubectl) -> Iterator[Finding]:
    """Yields a problem for each kind of the stack's objects that the cluster does not have."""
    needed = needed_kinds(plans)
    missing = needed - served_kinds(needed, kubectl)
    for api, kind in sorted(missing):
        fix = _SOURCES.get(api.partition("/")[0], "enable this API of the cluster")
        yield Finding("problem", "API", f"the cluster has no {kind} in {api}", fix)
    if not missing:
        text = f"the cluster has all {counted(len(needed), 'kind')} of objects"
        yield Finding("fine", "API", text)
    if any(api == f"{GATEWAY_API}/v1" for api, _ in needed - missing):
        yield from _gateway_api(kubectl)


def needed_kinds(plans: Mapping[str, Plan]) -> set[Kind]:
    """Returns the kinds of the servers' objects."""
    return {kind_of(manifest) for plan in plans.values() for manifest in objects(plan)}


def kind_of(manifest: Manifest) -> Kind:
    return manifest["apiVersion"], manifest["kind"]


def served_kinds(needed: set[Kind], kubectl: Kubectl) -> set[Kind]:
    """Returns the kinds that the cluster has, of the API versions in `needed`."""
    found: set[Kind] = set()
    for api in {api for api, _ in needed}:
        answer: Any = kubectl.raw(f"/apis/{api}" if "/" in api else f"/api/{api}") or {}
        found |= {(api, resource["kind"]) for resource in answer.get("resources", ())}
    return found


def _gateway_api(kubectl: Kubectl) -> Iterator[Finding]:
    """Yields a problem if the Gateway API is too old; nothing if its version is unknown."""
    definition: Any = kubectl.get("crd", f"httproutes.{GATEWAY_API}") or {}
    annotations = definition.get("metadata", {}).get("annotations", {})
    version = annotations.get(_BUNDLE, "")
    found = re.match(r"v(\d+)\.(\d+)", version)
    if found is None:
        return
    if (int(found[1]), int(found[2])) >= MINIMUM_GATEWAY_API:
        yield Finding("fine", "Gateway API", f"version {version}")
        return
    needed = ".".join(map(str, MINIMUM_GATEWAY_API))
    yield Finding(
        "problem", "Gateway API", f"version {version} is too old", f"install {needed} or later"
    )
