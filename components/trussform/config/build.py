"""Settings of the image build (Truss: `build`)."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator

from trussform.config.credentials import SecretName
from trussform.schema import Model, invalid


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


Argument = Annotated[str, BeforeValidator(_text), WithJsonSchema({})]


class Build(Model):
    """Settings of the image build."""

    model_server: Literal["TrussServer", "TRT_LLM"] = "TrussServer"
    """The server that Truss builds for a model class. A custom server does not use it."""
    arguments: dict[str, Argument] = Field(default_factory=dict)
    """Variables of the build, by name. Default: none."""
    secret_to_path_mapping: dict[SecretName, str] = Field(default_factory=dict)
    """The path of each secret's file during the build, by the secret's name. Default: none."""
    no_cache: bool = False
    """An option of Truss's command line; only false is allowed here."""

    @field_validator("no_cache")
    @classmethod
    def _check_no_cache(cls, value: bool) -> bool:
        if value:
            raise invalid("`no_cache` is an option of Truss's command line", "remove it")
        return value

    @field_validator("arguments")
    @classmethod
    def _check_arguments(cls, arguments: dict[str, str]) -> dict[str, str]:
        for name in arguments:
            if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name):
                raise invalid(
                    f"`{name}` is not a name for a variable", "use letters, digits and `_`"
                )
        return arguments
