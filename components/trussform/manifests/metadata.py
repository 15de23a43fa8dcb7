"""What every object of a server has: its name, its namespace and its labels."""

import re

from trussform.manifests.values import Manifest, Values
from trussform.plan import Plan

NAME_LABEL = "app.kubernetes.io/name"


def metadata(plan: Plan, values: Values, name: str) -> Manifest:
    return {"name": name, "namespace": values.namespace, "labels": labels(plan)}


def labels(plan: Plan) -> dict[str, str]:
    made = {
        NAME_LABEL: plan.name,
        "app.kubernetes.io/managed-by": "trussform",
        "trussform/environment": plan.environment,
    }
    model = re.sub(r"[^-._a-zA-Z0-9]+", "-", plan.model_name or "")[:63].strip("-._")
    return {**made, "trussform/model-name": model} if model else made
