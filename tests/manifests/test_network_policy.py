"""The NetworkPolicies of a server: its sources and its destinations."""

# pyright: reportMissingTypeStubs=false

from collections.abc import Callable
from typing import Any

import kubernetes_validate
import pytest
from trussform.cli.render import objects
from trussform.manifests import Manifest
from trussform.plan import Plan

MakePlan = Callable[..., Plan]
PEERS = {"ingress_from": [{"namespace": "gateways"}, {"cidr": "10.0.0.0/8"}]}
FROM = [
    {
        "from": [
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateways"}}},
            {"ipBlock": {"cidr": "10.0.0.0/8"}},
        ]
    }
]
ADDRESSES = {"runtime": {"egress_restrictions": {"ip_allow_list": ["8.8.8.8"]}}}
NAMES = {"runtime": {"egress_restrictions": {"fqdn_allow_list": ["example.org"]}}}
TO = [{"to": [{"ipBlock": {"cidr": "8.8.8.8/32"}}]}]


def policies(plan: Plan) -> dict[str, Manifest]:
    """Returns the spec of each policy by kind; each selects the pods of the server."""
    found: dict[str, Manifest] = {}
    (deployment,) = [at for at in objects(plan) if at["kind"] == "Deployment"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    for manifest in objects(plan):
        if manifest["kind"] == "NetworkPolicy":
            kubernetes_validate.validate(manifest, "1.35", strict=True)
        if manifest["kind"].endswith("NetworkPolicy"):
            assert manifest["kind"] not in found
            said = dict(manifest["spec"])
            selector = said.pop("podSelector", None) or said.pop("endpointSelector")
            assert selector["matchLabels"].items() <= labels.items()
            found[manifest["kind"]] = said
    return found


@pytest.mark.parametrize(
    ("config", "stage", "said"),
    [
        (None, {}, {}),
        (None, PEERS, {"NetworkPolicy": {"policyTypes": ["Ingress"], "ingress": FROM}}),
        (
            None,
            {"ingress_from": []},
            {"NetworkPolicy": {"policyTypes": ["Ingress"], "ingress": []}},
        ),
        (ADDRESSES, {}, {"NetworkPolicy": {"policyTypes": ["Egress"], "egress": TO}}),
        (
            ADDRESSES,
            PEERS,
            {
                "NetworkPolicy": {
                    "policyTypes": ["Ingress", "Egress"],
                    "ingress": FROM,
                    "egress": TO,
                }
            },
        ),
    ],
)
def test_a_policy_says_what_the_plan_restricts_and_no_more(
    plan: MakePlan, config: dict[str, Any] | None, stage: dict[str, Any], said: dict[str, Any]
) -> None:
    assert policies(plan(config, stage)) == said


def test_cilium_restricts_egress_to_names_and_kubernetes_the_peers(plan: MakePlan) -> None:
    made = policies(plan(NAMES, {**PEERS, "network_policy": "cilium"}))
    assert made["NetworkPolicy"] == {"policyTypes": ["Ingress"], "ingress": FROM}
    assert made["CiliumNetworkPolicy"].keys() == {"egress"}
    assert {"toFQDNs": [{"matchName": "example.org"}]} in made["CiliumNetworkPolicy"]["egress"]
    assert policies(plan(NAMES, {"network_policy": "cilium"})).keys() == {"CiliumNetworkPolicy"}
