"""The secrets that the stack gives, and the problem of a missing one."""

import re
from collections.abc import Collection
from enum import Enum
from typing import Final

from trussform.problem import FieldPath, File, Problem


class UnknownSecrets(Enum):
    """The type of `UNKNOWN`."""

    UNKNOWN = "unknown"


UNKNOWN: Final = UnknownSecrets.UNKNOWN
"""The secrets are unknown: no stack is read, or it encrypts all secrets as one value."""

KnownSecrets = Collection[str] | UnknownSecrets
"""The names of the secrets that the stack or the program gives, or `UNKNOWN`."""


def is_given(secrets: KnownSecrets, name: str) -> bool:
    """Returns true if the stack is known to give the secret."""
    return not isinstance(secrets, UnknownSecrets) and name in secrets


def missing(
    secrets: KnownSecrets, name: str, path: FieldPath, file: File = "config"
) -> list[Problem]:
    """Returns a problem at `path` if the stack is known to lack the secret."""
    if isinstance(secrets, UnknownSecrets) or name in secrets:
        return []
    message = f"the stack has no value for the secret `{name}`"
    return [Problem(file, path, message, f"run: {set_command(name)}", "blocks-deploy")]


def set_command(name: str) -> str:
    """Returns the command that sets the secret in the stack's configuration."""
    return f"pulumi config set --secret --path {_path(name)}"


def remove_command(name: str) -> str:
    """Returns the command that removes the secret from the stack's configuration."""
    return f"pulumi config rm --path {_path(name)}"


def _path(name: str) -> str:
    """Returns the path of a secret in the stack's configuration, quoted for a shell."""
    # Pulumi reads other characters as steps of the path, and the shell reads `'` as its end.
    quoted = name.replace('"', '\\"').replace("'", "'\\''")
    step = f".{name}" if re.fullmatch(r"[-\w]+", name) else f'["{quoted}"]'
    return f"'trussform:secrets{step}'"
