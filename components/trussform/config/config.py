"""The top level of a `config.yaml` for a custom server."""

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from trussform.config.base_image import BaseImage
from trussform.config.build import Build
from trussform.config.credentials import SecretName
from trussform.config.docker_server import DockerServer
from trussform.config.resources import Resources
from trussform.config.runtime import Runtime
from trussform.config.weights import CachedRepo, ExternalFile, ModelRepo, Weights, WeightsSource
from trussform.redact import is_secret
from trussform.schema import Model, invalid
from trussform.source import is_mapping

_NO_EFFECT: tuple[Any, ...] = (
    None,
    [],
    {},
    "",
    {"enabled": False},
    {"model_server": "TrussServer"},
)
"""Values that have no effect in any field."""


def _variable_name(name: str) -> str:
    if not re.fullmatch(r"[-._a-zA-Z][-._a-zA-Z0-9]*", name):
        raise invalid(
            f"`{name}` is not a name for an environment variable",
            "use letters, digits, `_`, `-` and `.`; do not start with a digit",
        )
    return name


def _variable(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _secret(value: Any) -> Any:
    if value is not None and not isinstance(value, str):
        raise invalid("the config must not hold the value of a secret", "write null")
    if value is not None and is_secret(value):
        raise invalid(
            "this looks like a real secret, and the config must not hold one",
            "write null, give the value to the stack, and revoke this one",
        )
    return value


def _package(name: str) -> str:
    if not re.fullmatch(r"[a-zA-Z0-9][-a-zA-Z0-9.+:~=/*]*", name):
        raise invalid(
            f"`{name}` is not the name of a Debian package", "write one package name per item"
        )
    return name


def _relative_path(path: str) -> str:
    if path.strip("./") == "" and ".." not in path:
        raise invalid("this is the config's own folder", "write a path below the folder")
    parts = path.split("/")
    if path.startswith("/") or ".." in parts:
        raise invalid(f"`{path}` is outside the config's folder", "write a path below the folder")
    if "\0" in path or any(len(part.encode()) > 255 for part in parts):
        raise invalid("a file cannot have this name", "write the name of a file or folder")
    return path


VariableName = Annotated[str, AfterValidator(_variable_name)]
Variable = Annotated[
    str,
    BeforeValidator(_variable),
    WithJsonSchema({"type": ["string", "number", "boolean", "null"]}),
]
Secret = Annotated[str | None, BeforeValidator(_secret)]
Package = Annotated[str, AfterValidator(_package)]
RelativePath = Annotated[str, AfterValidator(_relative_path)]


class Config(Model):
    """A Truss `config.yaml`. Fields and defaults are Truss's."""

    docker_server: DockerServer
    """The command, port and endpoints of the server."""
    base_image: BaseImage | None = None
    """The image that the server starts from. Default: Truss's base image for `python_version`, with
    CUDA if the config has an accelerator."""
    model_name: str | None = None
    """The name of the model, for a label and an annotation. The stage names the server."""
    description: str | None = None
    """A description for readers of the config."""
    model_metadata: dict[str, Any] = Field(default_factory=dict)
    """Data for an annotation of the Deployment. `tags` become labels; `trussform explain` sends
    `example_model_input` in its `curl` command."""

    resources: Resources = Resources()
    """The CPU, memory and GPUs of one replica."""
    runtime: Runtime = Runtime()
    """The transport, health checks and network access of the running server."""
    environment_variables: dict[VariableName, Variable] = Field(default_factory=dict)
    """Variables of the container, by name. Booleans, numbers and null become text as in Truss."""
    secrets: dict[SecretName, Secret] = Field(default_factory=dict)
    """The names of the server's secrets, each with the value null. The stack has the values. The
    server reads them from the files `/secrets/NAME`."""

    requirements: list[str] = Field(default_factory=list)
    """Python packages that the image build installs."""
    requirements_file: RelativePath | None = None
    """A file with Python packages, in place of `requirements`. It may be a `requirements.txt`, a
    `pyproject.toml` or a `uv.lock`."""
    system_packages: list[Package] = Field(default_factory=list)
    """Debian packages that the image build installs."""
    build_commands: list[str] = Field(default_factory=list)
    """Shell commands that the image build runs."""
    data_dir: RelativePath = "data"
    """A folder beside the config. The image build copies it to `/app/data` if it exists."""
    model_module_dir: RelativePath = "model"
    """A folder beside the config. The image build copies it to `/app/model` if it exists."""
    bundled_packages_dir: RelativePath = "packages"
    """A folder beside the config. The image build copies it to `/packages` if it exists."""

    build: Build = Build()
    """Arguments and secrets of the image build."""
    external_package_dirs: list[str] = Field(default_factory=list)
    """Folders outside the config's own. The image build copies their content to `/packages`."""
    weights: Weights = Field(default_factory=list[WeightsSource])
    """Weights that an init container downloads to `mount_location` before the server starts."""
    model_cache: list[ModelRepo] = Field(default_factory=list[ModelRepo])
    """Truss's older field for weights."""
    cache_internal: list[CachedRepo] | None = None
    """Baseten's internal cache; Trussform ignores it."""
    external_data: list[ExternalFile] | None = None
    """Files that the image build downloads to `/app/data`."""
    bdn: dict[str, Any] = Field(default_factory=dict)
    """Settings of Baseten's delivery network; not supported."""
    trt_llm: dict[str, Any] | None = None
    """Settings of Baseten's engine builder; not supported."""
    training_checkpoints: dict[str, Any] | None = None
    """Checkpoints of Baseten's training; not supported."""
    bis_llm: dict[str, Any] | None = None
    """Settings of Baseten's inference stack; not supported."""

    examples_filename: str = "examples.yaml"
    """Only Truss's own server reads it. Ignored."""
    python_version: Literal["py39", "py310", "py311", "py312", "py313", "py314"] = "py313"
    """The Python of Truss's base image, used if the config has no `base_image`."""
    input_type: str = "Any"
    """Describes a model class, which a custom server does not have. Ignored."""
    model_framework: str = "custom"
    """Describes a model class, which a custom server does not have. Ignored."""
    model_type: str = "Model"
    """Describes a model class, which a custom server does not have. Ignored."""
    model_class_filename: str = "model.py"
    """Describes a model class, which a custom server does not have. Ignored."""
    model_class_name: str = "Model"
    """Describes a model class, which a custom server does not have. Ignored."""
    use_local_src: bool = False
    """Only Truss's own server reads it. Ignored."""
    live_reload: bool = False
    """Only Truss's own server reads it. Ignored."""
    apply_library_patches: bool = True
    """Only Truss's own server reads it. Ignored."""
    spec_version: str = "2.0"
    """The version of the format. Only one exists; Trussform ignores it."""

    @field_validator("requirements_file")
    @classmethod
    def _check_requirements_file(cls, file: str | None, info: ValidationInfo) -> str | None:
        if file and info.data.get("requirements"):
            raise invalid("the config also has `requirements`", "keep one of the two")
        return file

    @model_validator(mode="before")
    @classmethod
    def _rename_old_fields(cls, data: Any) -> Any:
        if not is_mapping(data) or "hf_cache" not in data or "model_cache" in data:
            return data
        others = {name: value for name, value in data.items() if name != "hf_cache"}
        return {**others, "model_cache": data["hf_cache"] or []}

    @model_validator(mode="after")
    def _check_combinations(self) -> "Config":
        if self.model_cache and self.weights:
            raise invalid("the config has both `model_cache` and `weights`", "keep `weights`")
        if self.runtime.remote_ssh.enabled and self.docker_server.run_as_user_id is not None:
            message = "the config has both `remote_ssh` and `run_as_user_id`"
            raise invalid(message, "keep one of the two")
        return self


def has_no_effect(value: Any) -> bool:
    """Returns true if a value has no effect, so that an unsupported field may have it."""
    return value in _NO_EFFECT
