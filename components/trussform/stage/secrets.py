"""The source of the secrets' values."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from trussform.schema import Model
from trussform.source import is_mapping
from trussform.stage.names import ObjectName


class ExistingSecret(Model):
    """An existing Secret has the values."""

    existing: ObjectName
    """The Secret, in the servers' namespace. Its keys are the names of the secrets."""


class ExternalSecrets(Model):
    """The External Secrets Operator creates the Secret from a store outside the cluster."""

    store: ObjectName
    """The name of the store's object."""
    store_kind: Literal["ClusterSecretStore", "SecretStore"] = "ClusterSecretStore"
    """The kind of the store's object. Default: ClusterSecretStore."""
    path: Annotated[str, Field(pattern=r"^[-._/a-zA-Z0-9]*$")] = ""
    """The text in front of each secret's name in the store: `models/dev/`. Default: none."""
    refresh: Annotated[str, Field(pattern=r"^[0-9]{1,6}[smh]$")] = "1h"
    """The interval in which the operator reads the store (`refreshInterval`): `30s`, `5m`. Default:
    1h."""


def _source(value: Any) -> str:
    if isinstance(value, str):
        return "<text>"
    external = "store" in value if is_mapping(value) else isinstance(value, ExternalSecrets)
    return "<store>" if external else "<existing>"


Secrets = Annotated[
    Annotated[Literal["pulumi"], Tag("<text>")]
    | Annotated[ExistingSecret, Tag("<existing>")]
    | Annotated[ExternalSecrets, Tag("<store>")],
    Discriminator(_source),
]
