"""The whole of a `config.yaml` that describes a custom server."""

import re
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema, field_validator, model_validator

from trussform.config.base_image import BaseImage
from trussform.config.docker_server import DockerServer
from trussform.config.resources import Resources
from trussform.config.runtime import Runtime
from trussform.schema import Model, refuse

WITHOUT_EFFECT = (
    "examples_filename", "python_version", "input_type", "model_framework", "model_type",
    "model_class_filename", "model_class_name", "use_local_src", "live_reload",
    "apply_library_patches", "spec_version",
    "runtime.streaming_read_timeout", "runtime.enable_tracing_data", "runtime.enable_debug_logs",
    "runtime.truss_server_version_override",
)  # fmt: skip
"""Truss fields that mean something to Truss's own server and nothing to a custom one."""

NOT_YET = (
    "external_data", "external_package_dirs", "build", "model_cache", "hf_cache",
    "weights", "bdn", "trt_llm", "training_checkpoints", "bis_llm", "cache_internal",
    "base_image.docker_auth", "resources.instance_type", "resources.fabric",
    "runtime.egress_restrictions", "runtime.oidc", "runtime.remote_ssh",
)  # fmt: skip
"""Truss fields that Trussform knows of and cannot honour yet; they are refused by name."""

_SECRET_NAME = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_TOKEN = re.compile(
    r"-----BEGIN |(hf_|sk-|ghp_|github_pat_|glpat-|xox[abp]-|AKIA|AIza|nvapi-|eyJ)(?=\S*\d)[-\w.]{12,}"
    r"|(?=[^<>\s]*\d)(?=[^<>\s]*[a-zA-Z])[-\w.+/=]{24,}$"
)


_Variable = Annotated[
    str, WithJsonSchema({"type": ["string", "number", "boolean", "null"], "title": "Variable"})
]


class Config(Model):
    """A Truss `config.yaml`; the field names are Truss's, and so are the defaults."""

    docker_server: DockerServer
    base_image: BaseImage
    model_name: str | None = None
    """Becomes a label and an annotation; the server's name comes from the stage."""
    description: str | None = None
    model_metadata: dict[str, Any] = Field(default_factory=dict)

    resources: Resources = Resources()
    runtime: Runtime = Runtime()
    environment_variables: dict[str, _Variable] = Field(default_factory=dict)
    """Text by name. Booleans, numbers and null become the text that Truss makes of them."""
    secrets: dict[str, str | None] = Field(default_factory=dict)
    """Names of secrets, each null; the values come from the stage."""

    requirements: list[str] = Field(default_factory=list)
    requirements_file: str | None = None
    system_packages: list[str] = Field(default_factory=list)
    build_commands: list[str] = Field(default_factory=list)
    data_dir: str = "data"
    """Folder beside the file, copied to `/app/data` where it exists."""
    model_module_dir: str = "model"
    """Folder beside the file, copied to `/app/model` where it exists."""
    bundled_packages_dir: str = "packages"
    """Folder beside the file, copied to `/packages` where it exists."""

    examples_filename: str = "examples.yaml"
    python_version: str = "py313"
    input_type: str = "Any"
    model_framework: str = "custom"
    model_type: str = "Model"
    model_class_filename: str = "model.py"
    model_class_name: str = "Model"
    use_local_src: bool = False
    live_reload: bool = False
    apply_library_patches: bool = True
    spec_version: str = "2.0"

    @field_validator("environment_variables", mode="before")
    @classmethod
    def _as_text(cls, variables: Any) -> Any:
        if not isinstance(variables, dict):
            return variables
        for name in variables:
            if not _VARIABLE.fullmatch(name):
                raise refuse(
                    f"`{name}` is no name for an environment variable",
                    "use letters, digits, `_`, `-` and `.`, and no digit first",
                )
        return {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in variables.items()
        }

    @field_validator("secrets")
    @classmethod
    def _names_only(cls, secrets: dict[str, str | None]) -> dict[str, str | None]:
        for name in secrets:
            if not _SECRET_NAME.fullmatch(name) or name in (".", ".."):
                raise refuse(
                    f"`{name}` is no name for a secret", "use letters, digits, `-`, `_` and `.`"
                )
        return secrets

    @field_validator("system_packages")
    @classmethod
    def _package_names(cls, packages: list[str]) -> list[str]:
        for package in packages:
            if not re.fullmatch(r"[a-zA-Z0-9][-a-zA-Z0-9.+:~=/*]*", package):
                raise refuse(f"`{package}` is no Debian package", "write one package name per item")
        return packages

    @field_validator("data_dir", "model_module_dir", "bundled_packages_dir", "requirements_file")
    @classmethod
    def _inside(cls, path: str | None) -> str | None:
        if path is not None and (path.startswith("/") or ".." in path.split("/")):
            raise refuse(f"`{path}` leaves the config's folder", "name something below the folder")
        return path

    @model_validator(mode="after")
    def _one_list_of_requirements(self) -> "Config":
        if self.requirements and self.requirements_file:
            raise refuse(
                "both `requirements` and `requirements_file` are given", "keep one of the two"
            )
        return self


def looks_like_a_token(value: str) -> bool:
    """Whether text in a place that should be null could be somebody's real secret."""
    return bool(_TOKEN.match(value.strip()))
