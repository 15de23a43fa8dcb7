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
    model_server: Literal["TrussServer", "TRT_LLM"] = "TrussServer"
    arguments: dict[str, Argument] = Field(default_factory=dict)
    """Variables of the build by name, as text."""
    secret_to_path_mapping: dict[SecretName, str] = Field(default_factory=dict)
    """Path in the build by secret."""
    no_cache: bool = False

    @field_validator("no_cache")
    @classmethod
    def _not_here(cls, value: bool) -> bool:
        if value:
            raise invalid("Truss takes no_cache only on its command line", "remove it")
        return value

    @field_validator("arguments")
    @classmethod
    def _variables(cls, arguments: dict[str, str]) -> dict[str, str]:
        for name in arguments:
            if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name):
                raise invalid(
                    f"`{name}` is not a name for a variable", "use letters, digits and `_`"
                )
        return arguments
