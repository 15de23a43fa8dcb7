"""The order to the External Secrets Operator for the Secret behind `/secrets`."""

from trussform.manifests.metadata import metadata
from trussform.manifests.values import Manifest, Values
from trussform.plan import Plan


def secret_name(plan: Plan) -> str:
    """The name of the Secret, where it has a fixed one."""
    return plan.secrets.existing or f"{plan.name}-secrets"


def external_secrets(plan: Plan, values: Values) -> list[Manifest]:
    store = plan.secrets.store
    if store is None or not plan.secrets.any:
        return []
    data = [
        {"secretKey": name, "remoteRef": {"key": f"{store.path}{name}"}}
        for name in plan.secrets.names
    ]
    return [
        {
            "apiVersion": "external-secrets.io/v1",
            "kind": "ExternalSecret",
            "metadata": metadata(plan, values, secret_name(plan)),
            "spec": {
                "refreshInterval": store.refresh,
                "secretStoreRef": {"name": store.store, "kind": store.store_kind},
                "target": {"name": secret_name(plan), "creationPolicy": "Owner"},
                "data": data,
            },
        }
    ]
