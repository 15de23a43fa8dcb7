"""Logins to private registries and buckets (Truss: `base_image.docker_auth`, `weights.auth`)."""

import re
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, model_validator

from trussform.schema import Model, invalid

REGISTRY_SECRET_PREFIX = "DOCKER_REGISTRY_"
"""Truss's secrets for registries begin with this, and the registry's address follows."""

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


_ADDRESS = re.compile(r"[a-zA-Z0-9\[][-._~:/@%\]a-zA-Z0-9]{0,252}")
_NAME = re.compile(r"(?!\.\.|\.$)[-._a-zA-Z0-9]{1,253}")


def is_secret_name(name: str) -> bool:
    """Returns true if the name can be a key of a Secret and the name of a file."""
    return _NAME.fullmatch(name) is not None


def _file_name(name: str) -> str:
    if not is_secret_name(name):
        raise invalid(
            f"`{name}` is not a name for a secret", "use letters, digits, `-`, `_` and `.`"
        )
    return name


def _secret_name(name: str) -> str:
    address = name.removeprefix(REGISTRY_SECRET_PREFIX)
    return name if address != name and _ADDRESS.fullmatch(address) else _file_name(name)


def _registry(address: str) -> str:
    if not _ADDRESS.fullmatch(address):
        raise invalid(
            "this is not the address of a registry", "write it as in `registry.example.com`"
        )
    return address


def _or_none(check: Callable[[str], str]) -> AfterValidator:
    """Returns the name, or None for an empty one, as in Truss."""
    return AfterValidator(lambda name: check(name) if name else name)


SecretName = Annotated[str, AfterValidator(_secret_name)]
KeyName = Annotated[str, AfterValidator(_file_name)]
"""That of a key of a Secret."""
FileName = Annotated[str, _or_none(_file_name)]
"""The name of a secret that is a file at `/secrets/NAME`."""


def _upper(method: object) -> object:
    return method.upper() if isinstance(method, str) else method


class Login(Model):
    """The fields that each way to log in to a cloud needs."""

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
            raise invalid(f"{method} needs {', '.join(missing)}", "add what is missing")
        if others := sorted(given - needed):
            raise invalid(f"{', '.join(others)} cannot be combined with {method}", "remove it")
        return self


class DockerAuth(Login):
    """The registry of the base image."""

    auth_method: Annotated[
        Literal["GCP_SERVICE_ACCOUNT_JSON", "AWS_IAM", "AWS_OIDC", "GCP_OIDC", "REGISTRY_SECRET",
                "AWS_ASSUME_ROLE"],
        BeforeValidator(_upper),
    ]  # fmt: skip
    registry: Annotated[str, _or_none(_registry)] | None = ""
    secret_name: Annotated[str, _or_none(_secret_name)] | None = None
    aws_access_key_id_secret_name: str = "aws_access_key_id"
    aws_secret_access_key_secret_name: str = "aws_secret_access_key"


class WeightsAuth(Login):
    """The store of the weights."""

    auth_method: Annotated[
        Literal["CUSTOM_SECRET", "AWS_OIDC", "GCP_OIDC", "AWS_ASSUME_ROLE"], BeforeValidator(_upper)
    ]
    auth_secret_name: FileName | None = None
