"""The whole of a `config.yaml` that describes a custom server."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from trussform.config.base_image import BaseImage
from trussform.config.docker_server import DockerServer
from trussform.config.resources import Resources
from trussform.config.runtime import Runtime
from trussform.schema import Model, refuse

_NO_OPERATION: tuple[Any, ...] = (
    None,
    [],
    {},
    "",
    {"enabled": False},
    {"model_server": "TrussServer"},
)
"""Values that ask for nothing, whatever the field."""

_TOKEN = re.compile(
    r"-----BEGIN |[a-z+]+://[^/\s:]+:[^/\s@]+@"
    r"|(hf|r8|gsk|ghp|github_pat|dckr_pat|glpat|xox[abp]|nvapi|sk|AKIA|AIza|eyJ)(?=\S*[0-9])\S{12,}$"
    r"|(?=[^<>\s]*[0-9])(?=[^<>\s]*[a-zA-Z])[-\w.+/=]{20,}$|[a-zA-Z0-9]{32,}$"
)


def _variable_name(name: str) -> str:
    if not re.fullmatch(r"[-._a-zA-Z][-._a-zA-Z0-9]*", name):
        raise refuse(
            f"`{name}` is no name for an environment variable",
            "use letters, digits, `_`, `-` and `.`, and no digit first",
        )
    return name


def _variable(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _secret_name(name: str) -> str:
    if not re.fullmatch(r"[-._a-zA-Z0-9]{1,253}", name) or name in (".", ".."):
        raise refuse(f"`{name}` is no name for a secret", "use letters, digits, `-`, `_` and `.`")
    return name


def _secret(value: Any) -> Any:
    if value is not None and not isinstance(value, str):
        raise refuse("a secret's value has no place here", "write null")
    if value is not None and _TOKEN.match(value.strip()):
        raise refuse(
            "this looks like a real secret, and the file is no place for it",
            "write null, give the value to the stage, and have this one revoked",
        )
    return value


def _package(name: str) -> str:
    if not re.fullmatch(r"[a-zA-Z0-9][-a-zA-Z0-9.+:~=/*]*", name):
        raise refuse(f"`{name}` is no Debian package", "write one package name per item")
    return name


def _inside(path: str) -> str:
    parts = path.split("/")
    if path.startswith("/") or ".." in parts:
        raise refuse(f"`{path}` leaves the config's folder", "name something below the folder")
    if "\0" in path or any(len(part.encode()) > 255 for part in parts):
        raise refuse("no file can have this name", "write the name of a file or folder")
    return path


VariableName = Annotated[str, AfterValidator(_variable_name)]
Variable = Annotated[
    str,
    BeforeValidator(_variable),
    WithJsonSchema({"type": ["string", "number", "boolean", "null"]}),
]
SecretName = Annotated[str, AfterValidator(_secret_name)]
Secret = Annotated[str | None, BeforeValidator(_secret)]
Package = Annotated[str, AfterValidator(_package)]
Inside = Annotated[str, AfterValidator(_inside)]


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


def asks_for_nothing(value: Any) -> bool:
    """Whether a field that cannot be honoured may stand in a config all the same."""
    return value in _NO_OPERATION


def masked(text: str) -> str:
    """Text to show to people, without the words that could be secrets."""
    words = re.split(r"([\s='\"]+)", text)
    return "".join("…" if _TOKEN.match(word) else word for word in words)
