"""The sources that may connect to the pods (NetworkPolicy: `ingress.from`)."""

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Discriminator, Tag

from trussform.schema import Model, invalid
from trussform.source import is_mapping
from trussform.stage.names import Label


def _check_cidr(cidr: str) -> str:
    try:
        return str(ipaddress.ip_network(cidr, strict=False))
    except ValueError:
        message = f"`{cidr}` is not an IP address or a range"
        raise invalid(message, "write it as in 10.0.0.0/8") from None


class NamespacePeer(Model):
    """All pods of a namespace."""

    namespace: Label
    """The name of the namespace."""


class CidrPeer(Model):
    """All clients in a range of addresses, such as a gateway on the nodes' network."""

    renamed: ClassVar[Mapping[str, str]] = {"address": "cidr"}

    cidr: Annotated[str, AfterValidator(_check_cidr)]
    """The range, or one IP address: `10.0.0.0/8`."""


def _kind(value: Any) -> str:
    if is_mapping(value):
        return "<cidr>" if value.keys() & {"cidr", *CidrPeer.renamed} else "<namespace>"
    return "<cidr>" if isinstance(value, CidrPeer) else "<namespace>"


Peer = Annotated[
    Annotated[NamespacePeer, Tag("<namespace>")] | Annotated[CidrPeer, Tag("<cidr>")],
    Discriminator(_kind),
]
