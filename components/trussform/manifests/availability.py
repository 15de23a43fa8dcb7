"""What keeps several replicas apart, and enough of them up while nodes are drained."""

from trussform.manifests.deploy_values import Manifest, Values
from trussform.manifests.metadata import NAME_LABEL, metadata
from trussform.plan import Plan


def budgets(plan: Plan, values: Values) -> list[Manifest]:
    if plan.rollout.replicas < 2:
        return []
    return [
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": metadata(plan, values, plan.name),
            "spec": {
                "maxUnavailable": 1,
                "selector": {"matchLabels": {NAME_LABEL: plan.name}},
                # A pod that is broken anyway must not keep its node from being drained.
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
            },
        }
    ]


def spread(plan: Plan) -> list[Manifest]:
    """Over the nodes as evenly as it goes, and on one node where that has all the GPUs."""
    if plan.rollout.replicas < 2:
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
