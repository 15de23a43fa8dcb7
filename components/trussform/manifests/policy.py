"""What the server may reach, in the words of the cluster's network."""

from trussform.manifests.metadata import NAME_LABEL, metadata
from trussform.manifests.values import Manifest, Values
from trussform.plan import Plan

_DNS_PODS = {"k8s:io.kubernetes.pod.namespace": "kube-system", "k8s-app": "kube-dns"}


def policies(plan: Plan, values: Values) -> list[Manifest]:
    if not plan.egress.restricted:
        return []
    return [_cilium(plan, values) if plan.egress.names else _kubernetes(plan, values)]


def _kubernetes(plan: Plan, values: Values) -> Manifest:
    ranges = [{"ipBlock": {"cidr": at}} for at in plan.egress.addresses]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(plan, values, plan.name),
        "spec": {
            "podSelector": {"matchLabels": {NAME_LABEL: plan.name}},
            "policyTypes": ["Egress"],
            # A rule without peers would allow all of them; no rule allows none.
            "egress": [{"to": ranges}] if ranges else [],
        },
    }


def _cilium(plan: Plan, values: Values) -> Manifest:
    names = [{"matchPattern" if "*" in name else "matchName": name} for name in plan.egress.names]
    ports = [{"port": "53", "protocol": "ANY"}]
    rules: list[Manifest] = [
        # Cilium learns the addresses of a name from the answers that it sees.
        {
            "toEndpoints": [{"matchLabels": _DNS_PODS}],
            "toPorts": [{"ports": ports, "rules": {"dns": names}}],
        },
        {"toFQDNs": names},
    ]
    if plan.egress.addresses:
        rules.append({"toCIDR": list(plan.egress.addresses)})
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNetworkPolicy",
        "metadata": metadata(plan, values, plan.name),
        "spec": {
            "endpointSelector": {"matchLabels": {NAME_LABEL: plan.name}},
            "egress": rules,
        },
    }
