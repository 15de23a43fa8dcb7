"""How a private registry or bucket is reached (Truss: `base_image.docker_auth`, `weights.auth`)."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, model_validator

from trussform.schema import Model, refuse

REGISTRY_SECRET_PREFIX = "DOCKER_REGISTRY_"
"""Truss's secrets for registries begin with this, and any text may follow."""

_NEEDED = {
    "AWS_OIDC": ("aws_oidc_role_arn", "aws_oidc_region"),
    "GCP_OIDC": ("gcp_oidc_service_account", "gcp_oidc_workload_id_provider"),
    "AWS_ASSUME_ROLE": ("aws_assume_role_arn", "aws_assume_role_region"),
    "GCP_SERVICE_ACCOUNT_JSON": ("secret_name",),
    "CUSTOM_SECRET": ("auth_secret_name",),
}
"""The fields that a method needs; those of the other methods must not be there then.
Methods that are not here need none and forbid none."""
_OF_SOME_METHOD = {name for names in _NEEDED.values() for name in names}


def _secret_name(name: str) -> str:
    if name.startswith(REGISTRY_SECRET_PREFIX) and name.isprintable() and len(name) <= 253:
        return name
    if not re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", name) or name in (".", ".."):
        raise refuse(f"`{name}` is no name for a secret", "use letters, digits, `-`, `_` and `.`")
    return name


SecretName = Annotated[str, AfterValidator(_secret_name)]


def _upper(method: object) -> object:
    return method.upper() if isinstance(method, str) else method


class Login(Model):
    """What the ways to log in to a cloud need."""

    aws_oidc_role_arn: str | None = None
    aws_oidc_region: str | None = None
    gcp_oidc_service_account: str | None = None
    gcp_oidc_workload_id_provider: str | None = None
    aws_assume_role_arn: str | None = None
    aws_assume_role_region: str | None = None

    @model_validator(mode="after")
    def _fields_of_the_method(self) -> "Login":
        fields = dict(self)
        method = fields["auth_method"]
        if method not in _NEEDED:
            return self
        given = {name for name in _OF_SOME_METHOD if fields.get(name)}
        needed = set(_NEEDED[method])
        if missing := sorted(needed - given):
            raise refuse(f"{method} needs {', '.join(missing)}", "add what is missing")
        if others := sorted(given - needed):
            raise refuse(f"{', '.join(others)} cannot stand with {method}", "remove it")
        return self


class DockerAuth(Login):
    """The registry of the base image."""

    auth_method: Annotated[
        Literal["GCP_SERVICE_ACCOUNT_JSON", "AWS_IAM", "AWS_OIDC", "GCP_OIDC", "REGISTRY_SECRET",
                "AWS_ASSUME_ROLE"],
        BeforeValidator(_upper),
    ]  # fmt: skip
    registry: str | None = ""
    secret_name: str | None = None
    aws_access_key_id_secret_name: str = "aws_access_key_id"
    aws_secret_access_key_secret_name: str = "aws_secret_access_key"


class WeightsAuth(Login):
    """The store of the weights."""

    auth_method: Annotated[
        Literal["CUSTOM_SECRET", "AWS_OIDC", "GCP_OIDC", "AWS_ASSUME_ROLE"], BeforeValidator(_upper)
    ]
    auth_secret_name: str | None = None
