"""The sources that may connect to the pods (NetworkPolicy: `ingress.from`)."""

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Discriminator, Tag

from trussform.schema import Model, invalid
from trussform.source import is_mapping
from trussform.stage.names import Label


def _range(cidr: str) -> str:
    try:
        return str(ipaddress.ip_network(cidr, strict=False))
    except ValueError:
        message = f"`{cidr}` is not an IP address or a range"
        raise invalid(message, "write it as in 10.0.0.0/8") from None


class NamespacePeer(Model):
    """All pods of a namespace."""

    namespace: Label


class CidrPeer(Model):
    """All clients with an address in a range, such as a gateway on the nodes' network."""

    renamed: ClassVar[Mapping[str, str]] = {"address": "cidr"}

    cidr: Annotated[str, AfterValidator(_range)]
    """An IP address or a range: `10.0.0.0/8`."""


def _kind(value: Any) -> str:
    if is_mapping(value):
        return "a range" if value.keys() & {"cidr", *CidrPeer.renamed} else "pods"
    return "a range" if isinstance(value, CidrPeer) else "pods"


Peer = Annotated[
    Annotated[NamespacePeer, Tag("pods")] | Annotated[CidrPeer, Tag("a range")],
    Discriminator(_kind),
]
