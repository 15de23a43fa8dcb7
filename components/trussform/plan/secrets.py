"""Which secrets are files at `/secrets/NAME`, and where their values come from."""

import re
from collections.abc import Collection
from typing import Literal, NamedTuple

from trussform.config import Config
from trussform.config.credentials import REGISTRY_SECRET_PREFIX, is_secret_name
from trussform.plan.weights import Weights
from trussform.problem import FieldPath, Problem
from trussform.stage import ExistingSecret, ExternalSecrets, Stage

_READ = re.compile(r"(?<![-\w./])/secrets/([-._a-zA-Z0-9]*[-_a-zA-Z0-9])")


class Secrets(NamedTuple):
    names: tuple[str, ...]
    """Declared by the config, or named by its weights."""
    undeclared: tuple[str, ...]
    """Read by the command or for weights, not declared; mounted where the stage has them."""
    existing: str | None
    """The Secret that is there already; None: one is made."""
    store: ExternalSecrets | None
    """What the External Secrets Operator makes it from; None: Pulumi makes it."""
    version: str | None
    why: str

    def __str__(self) -> str:
        if not self.any:
            return "none"
        files = ", ".join(f"/secrets/{name}" for name in (*self.names, *self.undeclared))
        place = f"the store {self.store.store}" if self.store else "a Secret of this stack"
        return f"{files} from {self.existing or place}"

    @property
    def any(self) -> bool:
        return bool(self.names or self.undeclared)


def secrets(
    config: Config, stage: Stage, available: Collection[str] | None, weights: Weights
) -> tuple[Secrets, list[Problem]]:
    """`available`: the names that the stage has values for; None where that is unknown."""
    needed = [source.secret for source in weights.sources if source.secret and source.needs_secret]
    used = [source.secret for source in weights.sources if source.secret]
    declared = (name for name in config.secrets if not name.startswith(REGISTRY_SECRET_PREFIX))
    known = dict.fromkeys([*declared, *needed])
    names = tuple(known)
    read = read_by_command(config)
    undeclared = tuple(name for name in dict.fromkeys([*read, *used]) if name not in known)
    if not names and not undeclared:
        return Secrets((), (), None, None, None, "the config declares none and reads none"), []
    problems = [
        Problem(
            "config",
            ("docker_server", "start_command"),
            f"reads /secrets/{name}, which `secrets` does not declare",
            f"add `{name}: null` to `secrets`",
            "warning",
        )
        for name in undeclared
        if name in read
    ]
    if isinstance(stage.secrets, ExistingSecret):
        return Secrets(
            names,
            undeclared,
            stage.secrets.existing,
            None,
            stage.secrets_version,
            "an existing Secret changes in place: `secrets_version` of the stage rolls the pods",
        ), problems
    if isinstance(stage.secrets, ExternalSecrets):
        # What the config does not declare may not be in the store, and would keep all from it.
        why = (
            f"the External Secrets Operator looks every {stage.secrets.refresh}, and changes the "
            "Secret in place: another `secrets_version` of the stage has it look at once, and "
            "rolls the pods"
        )
        return Secrets(names, (), None, stage.secrets, stage.secrets_version, why), problems
    problems += [
        missing(name, ("secrets", name))
        for name in names
        if available is not None and name not in available
    ]
    mounted = tuple(name for name in undeclared if name in (available or ()))
    why = "a changed value makes a new Secret, rolls the pods, then removes the old one"
    return Secrets(names, mounted, None, None, stage.secrets_version, why), problems


def read_by_command(config: Config) -> tuple[str, ...]:
    """Returns the names of the files at `/secrets` that the start command names."""
    words = _READ.findall(config.docker_server.start_command or "")
    return tuple(dict.fromkeys(filter(is_secret_name, words)))


def missing(name: str, keys: FieldPath, about: Literal["config", "stage"] = "config") -> Problem:
    """The complaint, at `keys`, that an up needs a secret which the stage lacks."""
    message = f"the stage has no value for the secret `{name}`"
    return Problem(about, keys, message, f"run: {set_command(name)}", "blocks-deploy")


def set_command(name: str) -> str:
    """The command that gives a secret to the stack, whatever its name has in it."""
    return f"pulumi config set --secret --path {_path(name)}"


def remove_command(name: str) -> str:
    """Returns the command that takes a secret from the stack, whatever its name has in it."""
    return f"pulumi config rm --path {_path(name)}"


def _path(name: str) -> str:
    """Returns the path of a secret in the stack's configuration, quoted for a shell."""
    # Other signs in the name would be steps of the path to Pulumi, and `'` its end to the shell.
    quoted = name.replace('"', '\\"').replace("'", "'\\''")
    step = f".{name}" if re.fullmatch(r"[-\w]+", name) else f'["{quoted}"]'
    return f"'trussform:secrets{step}'"
