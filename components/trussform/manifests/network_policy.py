"""The NetworkPolicy of a server, and the CiliumNetworkPolicy for names."""

from trussform.manifests.deploy_values import DeployValues, Manifest, Text
from trussform.manifests.metadata import NAME_LABEL, metadata
from trussform.plan import Plan

_DNS_PODS = {"k8s:io.kubernetes.pod.namespace": "kube-system", "k8s-app": "kube-dns"}


def network_policies(plan: Plan, values: DeployValues[Text]) -> list[Manifest]:
    by_name = plan.egress.restricted and bool(plan.egress.names)
    made = [_cilium(plan, values)] if by_name else []
    kinds: Manifest = {}
    if plan.ingress.restricted:
        kinds["ingress"] = _rules("from", _sources(plan))
    if plan.egress.restricted and not by_name:
        ranges = [{"ipBlock": {"cidr": at}} for at in plan.egress.addresses]
        kinds["egress"] = _rules("to", ranges)
    return [*made, _kubernetes(plan, values, kinds)] if kinds else made


def _rules(direction: str, peers: list[Manifest]) -> list[Manifest]:
    """Returns one rule, or none without peers: a rule without peers would allow everything."""
    return [{direction: peers}] if peers else []


def _sources(plan: Plan) -> list[Manifest]:
    label = "kubernetes.io/metadata.name"
    return [
        *(
            {"namespaceSelector": {"matchLabels": {label: namespace}}}
            for namespace in plan.ingress.namespaces
        ),
        *({"ipBlock": {"cidr": cidr}} for cidr in plan.ingress.cidrs),
    ]


def _kubernetes(plan: Plan, values: DeployValues[Text], kinds: Manifest) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(plan, values, plan.name),
        "spec": {
            "podSelector": {"matchLabels": {NAME_LABEL: plan.name}},
            "policyTypes": [kind.capitalize() for kind in kinds],
            **kinds,
        },
    }


def _cilium(plan: Plan, values: DeployValues[Text]) -> Manifest:
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
