"""The source of the secrets' values."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from trussform.schema import Model
from trussform.source import is_mapping
from trussform.stage.names import ObjectName


class ExistingSecret(Model):
    """The secrets are keys of a Secret that somebody else makes."""

    existing: ObjectName


class ExternalSecrets(Model):
    """The External Secrets Operator makes the Secret from a store outside of the cluster."""

    store: ObjectName
    store_kind: Literal["ClusterSecretStore", "SecretStore"] = "ClusterSecretStore"
    path: Annotated[str, Field(pattern=r"^[-._/a-zA-Z0-9]*$")] = ""
    """The text in front of each secret's name in the store: `models/dev/`."""
    refresh: Annotated[str, Field(pattern=r"^[0-9]{1,6}[smh]$")] = "1h"
    """The operator's interval between two looks at the store: `30s`, `5m`, `1h`."""


def _source(value: Any) -> str:
    if isinstance(value, str):
        return "a word"
    named = "store" in value if is_mapping(value) else isinstance(value, ExternalSecrets)
    return "a store" if named else "a Secret"


Secrets = Annotated[
    Annotated[Literal["pulumi"], Tag("a word")]
    | Annotated[ExistingSecret, Tag("a Secret")]
    | Annotated[ExternalSecrets, Tag("a store")],
    Discriminator(_source),
]
