"""What every object of a server has: its name, its namespace and its labels."""

import json
import re
from typing import Any, cast

from trussform.manifests.deploy_values import Manifest, Values
from trussform.plan import Plan

NAME_LABEL = "app.kubernetes.io/name"
EXAMPLE = "example_model_input"
"""Stands in the config's copy, and can be long."""
MODEL_ANNOTATION = "trussform/model-metadata"
_TAG = re.compile(r"[a-zA-Z0-9]([-_.a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")


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


def with_model(plan: Plan, about: Manifest) -> Manifest:
    """Besides, what `model_metadata` says: its tags as labels, all of it as an annotation."""
    told = {name: value for name, value in plan.model_metadata.items() if name != EXAMPLE}
    if not told:
        return about
    tags = told.get("tags")
    labels = [str(tag) for tag in cast(list[Any], tags)] if isinstance(tags, list) else []
    marks = {f"tag.trussform/{tag}": "true" for tag in labels if _TAG.fullmatch(tag)}
    return {
        **about,
        "labels": {**about["labels"], **marks},
        "annotations": {MODEL_ANNOTATION: json.dumps(told, ensure_ascii=False, default=str)},
    }
