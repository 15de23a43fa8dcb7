"""Plan -> manifests: the plan in Kubernetes' own words, as plain data."""

from trussform.manifests.auth import guards
from trussform.manifests.availability import budgets
from trussform.manifests.deploy_values import Manifest, Text, Values, values
from trussform.manifests.deployment import deployment
from trussform.manifests.envoy import traffic_policies
from trussform.manifests.network_policy import policies
from trussform.manifests.routes import origin, routes, service
from trussform.manifests.secrets import external_secrets
from trussform.manifests.weights import claims
from trussform.plan import Plan

__all__ = ["Manifest", "Text", "Values", "manifests", "namespace", "origin", "values"]


def manifests(plan: Plan, values: Values) -> list[Manifest]:
    """Every object of one server but its Secret, in the order to make them."""
    return [
        *claims(plan, values),
        *external_secrets(plan, values),
        *policies(plan, values),
        *budgets(plan, values),
        deployment(plan, values),
        service(plan, values),
        *guards(plan, values),
        *traffic_policies(plan, values),
        *routes(plan, values),
    ]


def namespace(name: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
