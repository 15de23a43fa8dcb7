"""The names of environment variables that Baseten reserves."""

from fnmatch import fnmatchcase

from trussform.config import Config

RESERVED = (
    "PATH",
    "PORT",
    "HOST",
    "HOSTNAME",
    "K_SERVICE",
    "K_REVISION",
    "K_CONFIGURATION",
    "*_SERVICE_HOST",
    "*_SERVICE_PORT*",
    "KUBERNETES_*",
)
"""Names of `environment_variables` that Baseten drops. Source:
https://docs.baseten.co/development/model/custom-server, "Runtime environment"."""


def is_reserved(name: str) -> bool:
    """Returns true if Baseten drops a variable of this name."""
    return any(fnmatchcase(name, pattern) for pattern in RESERVED)


def own_variables(config: Config) -> dict[str, str]:
    """Returns the config's variables without those whose names Baseten reserves."""
    return {key: text for key, text in config.environment_variables.items() if not is_reserved(key)}
