"""The metadata of every object: its name, its namespace and its labels."""

from trussform.manifests.deploy_values import DeployValues, Manifest, Text
from trussform.plan import Plan

NAME_LABEL = "app.kubernetes.io/name"
MODEL_ANNOTATION = "trussform/model-metadata"
SKIP_AWAIT = "pulumi.com/skipAwait"
"""The annotation of an object that Pulumi does not wait for."""


def metadata(plan: Plan, values: DeployValues[Text], name: str) -> Manifest:
    return {"name": name, "namespace": values.namespace, "labels": dict(plan.labels.every)}


def model_metadata(plan: Plan, values: DeployValues[Text]) -> Manifest:
    """Returns the Deployment's metadata: with the model's tags and its `model_metadata`."""
    made = metadata(plan, values, plan.name)
    if plan.labels.model_metadata is None:
        return made
    return {
        **made,
        "labels": {**plan.labels.every, **plan.labels.tags},
        "annotations": {MODEL_ANNOTATION: plan.labels.model_metadata},
    }
