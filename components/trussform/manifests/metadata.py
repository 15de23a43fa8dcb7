"""The metadata of every object: its name, its namespace and its labels."""

from trussform.manifests.deploy_values import DeployValues, Manifest, Text
from trussform.plan import Plan

NAME_LABEL = "app.kubernetes.io/name"
MODEL_ANNOTATION = "trussform/model-metadata"
REPLICAS_ANNOTATION = "trussform/replicas"
"""The annotation of a Deployment whose number of replicas KEDA owns."""
SKIP_AWAIT = "pulumi.com/skipAwait"
"""The annotation of an object that Pulumi does not wait for."""


def metadata(plan: Plan, values: DeployValues[Text], name: str) -> Manifest:
    return {"name": name, "namespace": values.namespace, "labels": dict(plan.labels.every)}


def deployment_metadata(plan: Plan, values: DeployValues[Text]) -> Manifest:
    """Returns the Deployment's metadata: with the model's tags and its `model_metadata`."""
    annotations: Manifest = {}
    made = metadata(plan, values, plan.name)
    if plan.labels.model_metadata is not None:
        made["labels"] = {**plan.labels.every, **plan.labels.tags}
        annotations[MODEL_ANNOTATION] = plan.labels.model_metadata
    if plan.autoscaling.metric != "none":
        annotations[REPLICAS_ANNOTATION] = "keda"
    return {**made, "annotations": annotations} if annotations else made
