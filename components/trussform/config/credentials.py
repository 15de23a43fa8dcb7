"""Logins to private registries and buckets (Truss: `base_image.docker_auth`, `weights.auth`)."""

import re
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, model_validator

from trussform.schema import Model, invalid

REGISTRY_SECRET_PREFIX = "DOCKER_REGISTRY_"
"""The prefix of Truss's secrets for registries; the registry's address follows."""

_FIELDS_OF_METHODS = {
    "AWS_OIDC": ("aws_oidc_role_arn", "aws_oidc_region"),
    "GCP_OIDC": ("gcp_oidc_service_account", "gcp_oidc_workload_id_provider"),
    "AWS_ASSUME_ROLE": ("aws_assume_role_arn", "aws_assume_role_region"),
    "GCP_SERVICE_ACCOUNT_JSON": ("secret_name",),
    "CUSTOM_SECRET": ("auth_secret_name",),
}
"""The required fields by method. Each of these methods excludes the fields of the others.
Other methods require and exclude nothing."""
_ALL_FIELDS = {name for names in _FIELDS_OF_METHODS.values() for name in names}

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


def _unless_empty(check: Callable[[str], str]) -> AfterValidator:
    """Returns a validator that allows an empty name, which Truss takes for none."""
    return AfterValidator(lambda name: check(name) if name else name)


SecretName = Annotated[str, AfterValidator(_secret_name)]
"""The name of a secret in a config; `DOCKER_REGISTRY_` and a registry's address is one."""
KeyName = Annotated[str, AfterValidator(_file_name)]
"""The name of a secret that is a key of a Kubernetes Secret."""
FileName = Annotated[str, _unless_empty(_file_name)]
"""The name of a secret that is a file at `/secrets/NAME`."""


def _to_upper(method: object) -> object:
    return method.upper() if isinstance(method, str) else method


class Login(Model):
    """The fields of the methods that log in with a cloud identity."""

    aws_oidc_role_arn: str | None = None
    """The role of the method AWS_OIDC."""
    aws_oidc_region: str | None = None
    """The region of the method AWS_OIDC."""
    gcp_oidc_service_account: str | None = None
    """The service account of the method GCP_OIDC."""
    gcp_oidc_workload_id_provider: str | None = None
    """The workload identity provider of the method GCP_OIDC."""
    aws_assume_role_arn: str | None = None
    """The role of the method AWS_ASSUME_ROLE."""
    aws_assume_role_region: str | None = None
    """The region of the method AWS_ASSUME_ROLE."""

    @model_validator(mode="after")
    def _check_fields_of_the_method(self) -> "Login":
        fields = dict(self)
        method = fields["auth_method"]
        if method not in _FIELDS_OF_METHODS:
            return self
        given = {name for name in _ALL_FIELDS if fields.get(name)}
        needed = set(_FIELDS_OF_METHODS[method])
        if missing := sorted(needed - given):
            raise invalid(f"{method} needs {', '.join(missing)}", "add the missing fields")
        if others := sorted(given - needed):
            raise invalid(f"{', '.join(others)} cannot be combined with {method}", "remove it")
        return self


RegistryMethod = Literal[
    "GCP_SERVICE_ACCOUNT_JSON",
    "AWS_IAM",
    "AWS_OIDC",
    "GCP_OIDC",
    "REGISTRY_SECRET",
    "AWS_ASSUME_ROLE",
]
WeightsMethod = Literal["CUSTOM_SECRET", "AWS_OIDC", "GCP_OIDC", "AWS_ASSUME_ROLE"]


class DockerAuth(Login):
    """The login to the registry of the base image."""

    auth_method: Annotated[RegistryMethod, BeforeValidator(_to_upper)]
    """The way to log in."""
    registry: Annotated[str, _unless_empty(_registry)] | None = ""
    """The address of the registry. Default: the one in the image's name."""
    secret_name: Annotated[str, _unless_empty(_secret_name)] | None = None
    """The secret with the login, for GCP_SERVICE_ACCOUNT_JSON and REGISTRY_SECRET."""
    aws_access_key_id_secret_name: str = "aws_access_key_id"
    """The secret with the access key ID, for AWS_IAM. Ignored: the nodes use their own identity."""
    aws_secret_access_key_secret_name: str = "aws_secret_access_key"
    """The secret with the secret access key, for AWS_IAM. Ignored."""


class WeightsAuth(Login):
    """The login to the source of the weights."""

    auth_method: Annotated[WeightsMethod, BeforeValidator(_to_upper)]
    """The way to log in."""
    auth_secret_name: FileName | None = None
    """The secret with the login, for CUSTOM_SECRET."""
