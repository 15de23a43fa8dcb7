"""The secrets at `/secrets/NAME`, and the source of their values."""

import hashlib
import re
from typing import Literal, NamedTuple

from trussform.config import Config
from trussform.config.credentials import REGISTRY_SECRET_PREFIX, is_secret_name
from trussform.plan.auth import AuthPlan
from trussform.plan.given import Given
from trussform.plan.known_secrets import is_given, missing
from trussform.plan.names import NamesPlan
from trussform.plan.pull import named_logins
from trussform.plan.weights import WeightsPlan
from trussform.problem import Problem
from trussform.stage import ExistingSecret, ExternalSecrets

_READ = re.compile(r"(?<![-\w./])/secrets/([-._a-zA-Z0-9]*[-_a-zA-Z0-9])")


class Store(NamedTuple):
    """The store from which the External Secrets Operator makes the Secret."""

    name: str
    kind: str
    path: str
    """The text in front of each secret's name in the store."""
    refresh: str
    """The operator's interval between two looks at the store: `1h`."""


class SecretsPlan(NamedTuple):
    names: tuple[str, ...]
    """Declared by the config, or named by its weights."""
    undeclared: tuple[str, ...]
    """Read by the command or for weights, not declared; mounted if the stage has them."""
    secret: str
    """The name of the Secret; Pulumi appends a random suffix to the name of its own."""
    source: Literal["none", "pulumi", "existing", "store"]
    store: Store | None
    version: str | None
    """The stage's `secrets_version`: another one rolls the pods."""
    given: frozenset[str]
    """The secrets of the stack or the program that the server can read, for any purpose."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        if not self.any:
            return "none"
        files = ", ".join(f"/secrets/{name}" for name in (*self.names, *self.undeclared))
        sources = {"existing": self.secret, "store": f"the store {self.store and self.store.name}"}
        return f"{files} from {sources.get(self.source, 'a Secret of this stack')}"

    @property
    def any(self) -> bool:
        return bool(self.names or self.undeclared)


def plan_secrets(
    given: Given, names: NamesPlan, weights: WeightsPlan, auth: AuthPlan
) -> SecretsPlan:
    config, stage = given.config, given.stage
    mounted, undeclared = _wanted(config, weights)
    problems = _about_undeclared(config, undeclared)
    if isinstance(stage.secrets, ExternalSecrets):
        # It may not be in the store, and the operator would make no Secret then.
        undeclared = ()
    plan = SecretsPlan(
        names=mounted,
        undeclared=undeclared,
        secret=names.secrets,
        source="none",
        store=None,
        version=stage.secrets_version,
        given=_given(given, weights, auth),
        why="the config declares none and reads none",
    )
    if not plan.any:
        return plan._replace(version=None, problems=problems)
    if isinstance(stage.secrets, ExistingSecret):
        why = "an existing Secret changes in place: `secrets_version` of the stage rolls the pods"
        return plan._replace(
            source="existing", secret=stage.secrets.existing, why=why, problems=problems
        )
    if isinstance(stage.secrets, ExternalSecrets):
        return _from_store(plan, stage.secrets)._replace(problems=problems)
    lacking = (missing(given.secrets, name, ("secrets", name)) for name in mounted)
    return plan._replace(
        source="pulumi",
        undeclared=tuple(name for name in undeclared if is_given(given.secrets, name)),
        why="a changed value makes a new Secret, rolls the pods, then removes the old one",
        problems=(*problems, *(problem for found in lacking for problem in found)),
    )


def _wanted(config: Config, weights: WeightsPlan) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns the secrets that must be mounted, and those that are mounted if they exist."""
    used = [source.secret for source in weights.sources if source.secret]
    needed = [source.secret for source in weights.sources if source.secret and source.needs_secret]
    declared = (name for name in config.secrets if not name.startswith(REGISTRY_SECRET_PREFIX))
    names = dict.fromkeys([*declared, *needed])
    others = dict.fromkeys([*read_by_command(config), *used])
    return tuple(names), tuple(name for name in others if name not in names)


def _about_undeclared(config: Config, undeclared: tuple[str, ...]) -> tuple[Problem, ...]:
    read = read_by_command(config)
    return tuple(
        Problem(
            "config",
            ("docker_server", "start_command"),
            f"reads /secrets/{name}, which `secrets` does not declare",
            f"add `{name}: null` to `secrets`",
            "warning",
        )
        for name in undeclared
        if name in read
    )


def _from_store(plan: SecretsPlan, store: ExternalSecrets) -> SecretsPlan:
    """Returns the plan for a Secret from a store.

    Each version has a Secret of another name: the operator would not read the store again for the
    same ExternalSecret before its time, and the new pods would start with the old values.
    """
    secret = plan.secret
    if plan.version is not None:
        secret += f"-{hashlib.sha256(plan.version.encode()).hexdigest()[:8]}"
    why = (
        f"the External Secrets Operator reads the store every {store.refresh} and changes the "
        "Secret in place; another `secrets_version` of the stage makes it read at once and rolls "
        "the pods"
    )
    return plan._replace(
        secret=secret,
        source="store",
        store=Store(store.store, store.store_kind, store.path, store.refresh),
        why=why,
    )


def _given(given: Given, weights: WeightsPlan, auth: AuthPlan) -> frozenset[str]:
    """Returns the secrets of the stack that the server can read.

    A field that this stage makes no use of counts too, as `secret_to_path_mapping` with the
    builder `none`. The files at `/secrets` count only if the stage's secrets are Pulumi's.
    """
    config = given.config
    names = [*auth.keys, *config.build.secret_to_path_mapping]
    names += [login.secret for login in named_logins(config)]
    if given.stage.secrets == "pulumi":
        names += [*config.secrets, *read_by_command(config)]
        names += [source.secret for source in weights.sources if source.secret]
    return frozenset(names)


def read_by_command(config: Config) -> tuple[str, ...]:
    """Returns the names of the files at `/secrets` that the start command names."""
    words = _READ.findall(config.docker_server.start_command or "")
    return tuple(dict.fromkeys(filter(is_secret_name, words)))
