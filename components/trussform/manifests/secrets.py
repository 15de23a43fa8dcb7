"""The order to the External Secrets Operator for the Secret behind `/secrets`."""

import hashlib

from trussform.manifests.deploy_values import Manifest, Values
from trussform.manifests.metadata import metadata
from trussform.plan import Plan


def secret_name(plan: Plan) -> str:
    """The name of the Secret, where it has a fixed one.

    A store's Secret has another one for each version: the operator would not read the store again
    for the same order before its time, and the new pods would start with the old values.
    """
    if plan.secrets.existing is not None:
        return plan.secrets.existing
    name = f"{plan.name}-secrets"
    if plan.secrets.store is None or plan.secrets.version is None:
        return name
    return f"{name}-{hashlib.sha256(plan.secrets.version.encode()).hexdigest()[:8]}"


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
