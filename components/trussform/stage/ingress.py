"""Who may connect to the pods inside the cluster."""

import ipaddress
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Tag

from trussform.schema import Model, invalid
from trussform.source import is_mapping
from trussform.stage.names import Label


def _range(address: str) -> str:
    try:
        return str(ipaddress.ip_network(address, strict=False))
    except ValueError:
        message = f"`{address}` is no address or range"
        raise invalid(message, "write it as in 10.0.0.0/8") from None


class NamespacePeer(Model):
    """All pods of a namespace."""

    namespace: Label


class AddressPeer(Model):
    """Who comes from an address, as a gateway on the nodes' own network does."""

    address: Annotated[str, AfterValidator(_range)]
    """An IP address or a range: `10.0.0.0/8`."""


def _kind(value: Any) -> str:
    named = "address" in value if is_mapping(value) else isinstance(value, AddressPeer)
    return "a range" if named else "pods"


Peer = Annotated[
    Annotated[NamespacePeer, Tag("pods")] | Annotated[AddressPeer, Tag("a range")],
    Discriminator(_kind),
]
