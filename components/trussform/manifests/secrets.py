"""The ExternalSecret, from which the External Secrets Operator makes the Secret of `/secrets`."""

from trussform.manifests.deploy_values import DeployValues, Manifest, Text
from trussform.manifests.metadata import metadata
from trussform.plan import Plan


def external_secrets(plan: Plan, values: DeployValues[Text]) -> list[Manifest]:
    store, name = plan.secrets.store, plan.secrets.secret
    if store is None:
        return []
    data = [
        {"secretKey": secret, "remoteRef": {"key": f"{store.path}{secret}"}}
        for secret in plan.secrets.names
    ]
    return [
        {
            "apiVersion": "external-secrets.io/v1",
            "kind": "ExternalSecret",
            "metadata": metadata(plan, values, name),
            "spec": {
                "refreshInterval": store.refresh,
                "secretStoreRef": {"name": store.name, "kind": store.kind},
                "target": {"name": name, "creationPolicy": "Owner"},
                "data": data,
            },
        }
    ]
