"""The whole of a `config.yaml` that describes a custom server."""

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

_NO_OPERATION: tuple[Any, ...] = (
    None,
    [],
    {},
    "",
    {"enabled": False},
    {"model_server": "TrussServer"},
)
"""Values that ask for nothing, whatever the field."""


def _variable_name(name: str) -> str:
    if not re.fullmatch(r"[-._a-zA-Z][-._a-zA-Z0-9]*", name):
        raise invalid(
            f"`{name}` is not a name for an environment variable",
            "use letters, digits, `_`, `-` and `.`, and no digit first",
        )
    return name


def _variable(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _secret(value: Any) -> Any:
    if value is not None and not isinstance(value, str):
        raise invalid("a secret's value must not be here", "write null")
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


def _inside(path: str) -> str:
    if path.strip("./") == "" and ".." not in path:
        raise invalid("this is the config's own folder", "name something below the folder")
    parts = path.split("/")
    if path.startswith("/") or ".." in parts:
        raise invalid(f"`{path}` leaves the config's folder", "name something below the folder")
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
Inside = Annotated[str, AfterValidator(_inside)]


class Config(Model):
    """A Truss `config.yaml`; the field names are Truss's, and so are the defaults."""

    docker_server: DockerServer
    base_image: BaseImage | None = None
    """Default: Truss's own, by `python_version` and whether there is an accelerator."""
    model_name: str | None = None
    """Becomes a label and an annotation; the server's name comes from the stage."""
    description: str | None = None
    model_metadata: dict[str, Any] = Field(default_factory=dict)

    resources: Resources = Resources()
    runtime: Runtime = Runtime()
    environment_variables: dict[VariableName, Variable] = Field(default_factory=dict)
    """Text by name. Booleans, numbers and null become the text that Truss makes of them."""
    secrets: dict[SecretName, Secret] = Field(default_factory=dict)
    """Names of secrets, each null; the values come from the stage."""

    requirements: list[str] = Field(default_factory=list)
    requirements_file: Inside | None = None
    system_packages: list[Package] = Field(default_factory=list)
    build_commands: list[str] = Field(default_factory=list)
    data_dir: Inside = "data"
    """Folder beside the file, copied to `/app/data` where it exists."""
    model_module_dir: Inside = "model"
    """Folder beside the file, copied to `/app/model` where it exists."""
    bundled_packages_dir: Inside = "packages"
    """Folder beside the file, copied to `/packages` where it exists."""

    build: Build = Build()
    """Arguments and secrets of the image build."""
    external_package_dirs: list[str] = Field(default_factory=list)
    """Folders with packages, outside the config's own."""
    weights: Weights = Field(default_factory=list[WeightsSource])
    """Weights that are mounted at `mount_location` before the server starts."""
    model_cache: list[ModelRepo] = Field(default_factory=list[ModelRepo])
    """The older way to have weights."""
    cache_internal: list[CachedRepo] | None = None
    external_data: list[ExternalFile] | None = None
    """Files that are downloaded into the data folder."""
    bdn: dict[str, Any] = Field(default_factory=dict)
    trt_llm: dict[str, Any] | None = None
    training_checkpoints: dict[str, Any] | None = None
    bis_llm: dict[str, Any] | None = None

    examples_filename: str = "examples.yaml"
    python_version: Literal["py39", "py310", "py311", "py312", "py313", "py314"] = "py313"
    input_type: str = "Any"
    model_framework: str = "custom"
    model_type: str = "Model"
    model_class_filename: str = "model.py"
    model_class_name: str = "Model"
    use_local_src: bool = False
    live_reload: bool = False
    apply_library_patches: bool = True
    spec_version: str = "2.0"

    @field_validator("requirements_file")
    @classmethod
    def _instead_of_requirements(cls, file: str | None, info: ValidationInfo) -> str | None:
        if file and info.data.get("requirements"):
            raise invalid(
                "both `requirements` and `requirements_file` are given", "keep one of the two"
            )
        return file

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, data: Any) -> Any:
        if not is_mapping(data) or "hf_cache" not in data or "model_cache" in data:
            return data
        others = {name: value for name, value in data.items() if name != "hf_cache"}
        return {**others, "model_cache": data["hf_cache"] or []}

    @model_validator(mode="after")
    def _together(self) -> "Config":
        if self.model_cache and self.weights:
            raise invalid("a config has either `model_cache` or `weights`", "keep `weights`")
        if self.runtime.remote_ssh.enabled and self.docker_server.run_as_user_id is not None:
            raise invalid("a config has either `remote_ssh` or `run_as_user_id`", "keep one")
        return self


def asks_for_nothing(value: Any) -> bool:
    """Returns true if the value of an unsupported field asks for nothing."""
    return value in _NO_OPERATION
