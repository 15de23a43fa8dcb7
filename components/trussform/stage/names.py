"""Names and other texts of Kubernetes, DNS and registries, with their checks."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from trussform.config.base_image import check_image
from trussform.config.instances import ACCELERATORS
from trussform.schema import Int, invalid

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def _dns_label(name: str) -> str:
    if not _DNS_LABEL.fullmatch(name):
        raise invalid(
            f"`{name}` is not a Kubernetes name", "use up to 63 lower-case letters, digits and `-`"
        )
    return name


def _is_subdomain(name: str) -> bool:
    return len(name) <= 253 and all(map(_DNS_LABEL.fullmatch, name.split(".")))


def _object_name(name: str) -> str:
    if not _is_subdomain(name):
        raise invalid(
            f"`{name}` is not a Kubernetes name", "use lower-case letters, digits, `-` and `.`"
        )
    return name


def _domain(domain: str) -> str:
    if len(domain) > 190 or not all(map(_DNS_LABEL.fullmatch, domain.split("."))):
        raise invalid(f"`{domain}` is not a domain", "write it as in `models.example.com`")
    return domain


def _qualified(name: str) -> str:
    prefix, slash, last = name.rpartition("/")
    plain = re.fullmatch(r"[a-zA-Z0-9]([-_.a-zA-Z0-9]{0,61}[a-zA-Z0-9])?", last)
    if not plain or (slash and not _is_subdomain(prefix)):
        raise invalid(
            f"`{name}` is not the name of a label or resource", "write it as in `example.com/gpu`"
        )
    return name


def _extended(name: str) -> str:
    if "/" not in _qualified(name) or "kubernetes.io/" in name:
        raise invalid(f"`{name}` is not an extended resource", "write it as in `example.com/gpu`")
    return name


def _accelerator(name: str) -> str:
    if name not in ACCELERATORS:
        raise invalid(f"unknown accelerator `{name}`", f"use one of {', '.join(ACCELERATORS)}")
    return name


def _label_value(value: str) -> str:
    if not re.fullmatch(r"[a-zA-Z0-9]([-_.a-zA-Z0-9]{0,61}[a-zA-Z0-9])?", value):
        raise invalid(
            f"`{value}` is not a value for a label", "use letters, digits, `-`, `_` and `.`"
        )
    return value


def _label_text(value: str) -> str:
    return _label_value(value) if value else value


def is_digest(text: str) -> bool:
    """Returns true if a text is the digest of an image: `sha256:` and 64 hex digits."""
    return _DIGEST.fullmatch(text) is not None


def _digest(digest: str) -> str:
    if not is_digest(digest):
        raise invalid("this is not a digest", "write `sha256:` and 64 hex digits")
    return digest


def _image_by_digest(image: str) -> str:
    if not is_digest(check_image(image).partition("@")[2]):
        raise invalid(f"`{image}` has no digest", "write repository@sha256:…")
    return image


def _registry(registry: str) -> str:
    check_image(f"{registry.rstrip('/')}/server")
    return registry.rstrip("/")


def _path(path: str) -> str:
    if "\0" in path or any(len(part.encode()) > 255 for part in path.split("/")):
        raise invalid("a file cannot have this name", "write the path of a folder")
    return path


def _server_name(name: str) -> str:
    if not name:
        raise invalid("the name of the server is empty", "write a name in front of the colon")
    return name


def _node_path(path: str) -> str:
    if not re.fullmatch(r"/[-_.a-zA-Z0-9/]+", path) or ".." in path.split("/"):
        raise invalid(
            f"`{path}` is not a path on a node",
            "write an absolute path of letters, digits and `-_./`, without `..`",
        )
    return path


Label = Annotated[str, AfterValidator(_dns_label)]
ObjectName = Annotated[str, AfterValidator(_object_name)]
Qualified = Annotated[str, AfterValidator(_qualified)]
AcceleratorName = Annotated[str, AfterValidator(_accelerator)]
LabelValue = Annotated[str, AfterValidator(_label_value)]
LabelText = Annotated[str, AfterValidator(_label_text)]
"""The value of a label, which may be empty."""
Digest = Annotated[str, AfterValidator(_digest)]
Port = Annotated[Int, Field(ge=1, le=65_535)]
Domain = Annotated[str, AfterValidator(_domain)]
Registry = Annotated[str, AfterValidator(_registry)]
ImageByDigest = Annotated[str, AfterValidator(_image_by_digest)]
Path = Annotated[str, AfterValidator(_path)]
Device = Annotated[str, AfterValidator(_extended)]
NodePath = Annotated[str, AfterValidator(_node_path)]
ServerName = Annotated[str, AfterValidator(_server_name)]
