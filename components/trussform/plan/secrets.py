"""The secrets at `/secrets/NAME`, and the source of their values."""

import hashlib
import re
from collections.abc import Iterator
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

_SECRET_FILE = re.compile(r"(?<![-\w./])/secrets/([-._a-zA-Z0-9]*[-_a-zA-Z0-9])")


class Store(NamedTuple):
    """The SecretStore that the External Secrets Operator reads."""

    name: str
    kind: str
    path: str
    """The prefix of each secret's name in the store."""
    refresh: str
    """The interval at which the operator reads the store: `1h`."""


class SecretsPlan(NamedTuple):
    """The secrets of one server, and the Secret that holds them."""

    names: tuple[str, ...]
    """Secrets that the config declares or that its weights name; all must exist."""
    undeclared: tuple[str, ...]
    """Secrets that the command or the weights read undeclared; mounted if the stack has them."""
    secret: str
    """The name of the Secret; Pulumi appends a random suffix to a Secret that it creates."""
    source: Literal["none", "pulumi", "existing", "store"]
    """The source of the values; `none` if the config names no secret."""
    store: Store | None
    """None for other sources."""
    version: str | None
    """`secrets_version` of the stage; another value restarts the pods."""
    given: frozenset[str]
    """The secrets of the stack or the program that the server uses, for any purpose."""
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
        """True if the pod mounts secrets."""
        return bool(self.names or self.undeclared)


def plan_secrets(
    given: Given, names: NamesPlan, weights: WeightsPlan, auth: AuthPlan
) -> SecretsPlan:
    """Decides the secrets and the source of their values."""
    config, stage = given.config, given.stage
    mounted, undeclared = _secret_names(config, weights)
    problems = _undeclared_problems(config, undeclared)
    if isinstance(stage.secrets, ExternalSecrets):
        # The store may lack them, and the operator then creates no Secret at all.
        undeclared = ()
    plan = SecretsPlan(
        names=mounted,
        undeclared=undeclared,
        secret=names.secrets,
        source="none",
        store=None,
        version=stage.secrets_version,
        given=_given(given, weights, auth),
        why="neither `secrets`, the command nor the weights of the config name a secret",
    )
    if not plan.any:
        return plan._replace(version=None, problems=problems)
    if isinstance(stage.secrets, ExistingSecret):
        why = "`secrets.existing` of the stage; change `secrets_version` to restart the pods"
        return plan._replace(
            source="existing", secret=stage.secrets.existing, why=why, problems=problems
        )
    if isinstance(stage.secrets, ExternalSecrets):
        return _from_store(plan, stage.secrets)._replace(problems=problems)
    lacking = ", ".join(undeclared)
    undeclared = tuple(name for name in undeclared if is_given(given.secrets, name))
    why = "a changed value creates a new Secret, restarts the pods, then removes the old Secret"
    if not mounted and not undeclared:
        why = f"the stack has no value for {lacking}, which the config reads and does not declare"
    return plan._replace(
        source="pulumi",
        undeclared=undeclared,
        why=why,
        problems=(*problems, *_missing_secrets(given, mounted)),
    )


def _missing_secrets(given: Given, names: tuple[str, ...]) -> Iterator[Problem]:
    """Yields the problem of each secret that the stack is known to lack."""
    for name in names:
        yield from missing(given.secrets, name, ("secrets", name))


def _secret_names(config: Config, weights: WeightsPlan) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns the secrets that must exist, and those that are mounted if they exist."""
    used = [source.secret for source in weights.sources if source.secret]
    needed = [source.secret for source in weights.sources if source.secret and source.needs_secret]
    declared = (name for name in config.secrets if not name.startswith(REGISTRY_SECRET_PREFIX))
    names = dict.fromkeys([*declared, *needed])
    others = dict.fromkeys([*read_by_command(config), *used])
    return tuple(names), tuple(name for name in others if name not in names)


def _undeclared_problems(config: Config, undeclared: tuple[str, ...]) -> tuple[Problem, ...]:
    """Returns a warning for each secret that the command reads and `secrets` lacks."""
    read = read_by_command(config)
    return tuple(
        Problem(
            "config",
            ("docker_server", "start_command"),
            f"the command reads /secrets/{name}, and `secrets` does not declare it",
            f"add `{name}: null` to `secrets`",
            "warning",
        )
        for name in undeclared
        if name in read
    )


def _from_store(plan: SecretsPlan, store: ExternalSecrets) -> SecretsPlan:
    """Returns the plan for a Secret from a store.

    The name of the Secret changes with `secrets_version`. For the same ExternalSecret, the operator
    would wait until the next refresh, and new pods would start with the old values.
    """
    secret = plan.secret
    if plan.version is not None:
        secret += f"-{hashlib.sha256(plan.version.encode()).hexdigest()[:8]}"
    why = (
        f"`secrets.store` of the stage, refreshed every {store.refresh}; change `secrets_version` "
        "to refresh at once and restart the pods"
    )
    return plan._replace(
        secret=secret,
        source="store",
        store=Store(store.store, store.store_kind, store.path, store.refresh),
        why=why,
    )


def _given(given: Given, weights: WeightsPlan, auth: AuthPlan) -> frozenset[str]:
    """Returns the secrets of the stack that the server uses.

    A field that this stage ignores counts too, such as `secret_to_path_mapping` with
    `builder: none`. The files at `/secrets` count only with `secrets: pulumi`.
    """
    config = given.config
    names = [*auth.keys, *config.build.secret_to_path_mapping]
    names += [login.secret for login in named_logins(config)]
    if given.stage.secrets == "pulumi":
        names += [*config.secrets, *read_by_command(config)]
        names += [source.secret for source in weights.sources if source.secret]
    return frozenset(names)


def read_by_command(config: Config) -> tuple[str, ...]:
    """Returns the names of the files at `/secrets` in the start command."""
    words = _SECRET_FILE.findall(config.docker_server.start_command or "")
    return tuple(dict.fromkeys(filter(is_secret_name, words)))
