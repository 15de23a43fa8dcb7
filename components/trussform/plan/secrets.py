"""Which secrets are files at `/secrets/NAME`, and where their values come from."""

import re
from collections.abc import Collection
from typing import NamedTuple

from trussform.config import Config
from trussform.plan.weights import Weights
from trussform.problem import Finding
from trussform.stage import ExistingSecret, Stage

_READ = re.compile(r"(?<![-\w./])/secrets/([-._a-zA-Z0-9]*[-_a-zA-Z0-9])")


class Secrets(NamedTuple):
    names: tuple[str, ...]
    """Declared by the config, or named by its weights."""
    undeclared: tuple[str, ...]
    """Read by the command or for weights, not declared; mounted where the stage has them."""
    existing: str | None
    """The Secret that is there already; None: Pulumi makes one."""
    version: str | None
    why: str

    def __str__(self) -> str:
        if not self.any:
            return "none"
        files = ", ".join(f"/secrets/{name}" for name in (*self.names, *self.undeclared))
        return f"{files} from {self.existing or 'a Secret of this stack'}"

    @property
    def any(self) -> bool:
        return bool(self.names or self.undeclared)


def secrets(
    config: Config, stage: Stage, available: Collection[str] | None, weights: Weights
) -> tuple[Secrets, list[Finding]]:
    """`available`: the names that the stage has values for; None where that is unknown."""
    needed = [source.secret for source in weights.sources if source.secret and source.needs_secret]
    used = [source.secret for source in weights.sources if source.secret]
    names = tuple(dict.fromkeys([*config.secrets, *needed]))
    read = _READ.findall(config.docker_server.start_command or "")
    undeclared = tuple(name for name in dict.fromkeys([*read, *used]) if name not in names)
    if not names and not undeclared:
        return Secrets((), (), None, None, "the config declares none and reads none"), []
    findings = [
        Finding(
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
            stage.secrets_version,
            "an existing Secret changes in place: `secrets_version` of the stage rolls the pods",
        ), findings
    findings += [
        Finding(
            "config",
            ("secrets", name),
            f"the stage has no value for the secret `{name}`",
            f"run: pulumi config set --secret --path '{_path(name)}'",
            "up",
        )
        for name in names
        if available is not None and name not in available
    ]
    mounted = tuple(name for name in undeclared if name in (available or ()))
    why = "a changed value makes a new Secret, rolls the pods, then removes the old one"
    return Secrets(names, mounted, None, stage.secrets_version, why), findings


def _path(name: str) -> str:
    """The path of a value in Pulumi's config; a dot in the name is no step of the path."""
    return f'trussform:secrets["{name}"]' if "." in name else f"trussform:secrets.{name}"
