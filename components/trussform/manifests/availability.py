"""The PodDisruptionBudget of several replicas, and their spread over the nodes."""

from trussform.manifests.deploy_values import DeployValues, Manifest, Text
from trussform.manifests.metadata import NAME_LABEL, metadata
from trussform.plan import Plan


def disruption_budgets(plan: Plan, values: DeployValues[Text]) -> list[Manifest]:
    if plan.availability.max_unavailable is None:
        return []
    return [
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": metadata(plan, values, plan.name),
            "spec": {
                "maxUnavailable": plan.availability.max_unavailable,
                "selector": {"matchLabels": {NAME_LABEL: plan.name}},
                # A pod that is broken anyway must not keep its node from being drained.
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
            },
        }
    ]


def topology_spread(plan: Plan) -> list[Manifest]:
    if not plan.availability.spread:
        return []
    return [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {NAME_LABEL: plan.name}},
            "matchLabelKeys": ["pod-template-hash"],
        }
    ]
