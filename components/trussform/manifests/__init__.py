"""Plan -> manifests: the plan as Kubernetes objects, plain data."""

from trussform.manifests.auth import auth_policies
from trussform.manifests.autoscaling import scaled_objects
from trussform.manifests.availability import disruption_budgets
from trussform.manifests.deploy_values import DeployValues, Manifest, Text, deploy_values
from trussform.manifests.deployment import deployment
from trussform.manifests.envoy import traffic_policies
from trussform.manifests.gke import backend_policies
from trussform.manifests.network_policy import network_policies
from trussform.manifests.routes import origin, routes, service
from trussform.manifests.secrets import external_secrets
from trussform.manifests.weights import claims, programs
from trussform.plan import Plan

__all__ = [
    "DeployValues",
    "Manifest",
    "deploy_values",
    "namespace",
    "origin",
    "render_objects",
]


def render_objects(plan: Plan, values: DeployValues[Text]) -> list[Manifest]:
    """Returns every object of one server except its Secrets, in an order to create them."""
    return [
        *claims(plan, values),
        *programs(plan, values),
        *external_secrets(plan, values),
        *network_policies(plan, values),
        *disruption_budgets(plan, values),
        deployment(plan, values),
        service(plan, values),
        *auth_policies(plan, values),
        *traffic_policies(plan, values),
        *backend_policies(plan, values),
        *routes(plan, values),
        *scaled_objects(plan, values),
    ]


def namespace(name: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
