"""The nodes' login to the registry of a private base image."""

from typing import NamedTuple

from trussform import image_reference
from trussform.config import Config
from trussform.config.credentials import REGISTRY_SECRET_PREFIX, DockerAuth
from trussform.plan.given import Given
from trussform.plan.image import ImagePlan
from trussform.plan.known_secrets import is_given, missing
from trussform.problem import FieldPath, Problem

_AUTH: FieldPath = ("base_image", "docker_auth")
_IDENTITIES = {
    "AWS_IAM": "give the nodes' role read access to Amazon ECR",
    "AWS_OIDC": "give the nodes' role read access to Amazon ECR",
    "AWS_ASSUME_ROLE": "give the nodes' role read access to Amazon ECR",
    "GCP_OIDC": "give the nodes' service account the role Artifact Registry Reader",
}
"""The ways whose tokens live for hours: no Secret can hold what they give."""


class Login(NamedTuple):
    registry: str
    """As Docker's own configuration writes it."""
    secret: str
    """The name of the secret that holds the login."""
    user: str | None
    """None: the secret is `user:password`, plain or in base64, as Baseten has it."""


class PullPlan(NamedTuple):
    existing: str | None
    """The stage's Secret."""
    logins: tuple[Login, ...]
    """The logins of a Secret that Trussform makes for this server."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        ways = [f"the Secret {self.existing}"] if self.existing else []
        ways += [f"{login.registry} with the secret {login.secret}" for login in self.logins]
        return ", ".join(ways) or "without a Secret"


def plan_pull(given: Given, image: ImagePlan) -> PullPlan:
    config, stage = given.config, given.stage
    auth = config.base_image.docker_auth if config.base_image else None
    logins = named_logins(config)
    has_secret = stage.pull_secret is not None or "pull_secret" in given.platform
    why = "the stage's pull_secret" if has_secret else "the config names no login"
    problems: list[Problem] = []
    if image.given or (not logins and auth is None):
        logins = ()
    elif image.build is not None:
        logins = ()
        message = "the build pulls the base image with the login of the machine that builds"
        fix = "run `docker login` there; the nodes pull only the built image"
        problems = [Problem("config", _AUTH, message, fix, "warning")]
    elif has_secret:
        logins = tuple(login for login in logins if is_given(given.secrets, login.secret))
    elif auth is not None and auth.auth_method in _IDENTITIES:
        why = f"{_IDENTITIES[auth.auth_method]}, or add `pull_secret: NAME` to the stage"
        message = (
            f"{auth.auth_method} gives logins that expire within hours, so the nodes log in with "
            "their own identity"
        )
        problems = [Problem("config", _AUTH, message, why, "warning")]
    elif stage.secrets != "pulumi":
        problems = [_no_pull_secret(_path(auth, logins[0].secret), stage.namespace)]
        logins = ()
    else:
        why = "the config's login"
        for login in logins:
            problems += missing(given.secrets, login.secret, _path(auth, login.secret))
    return PullPlan(stage.pull_secret, logins, why, tuple(problems))


def _path(auth: DockerAuth | None, secret: str) -> FieldPath:
    """Returns the path of the field that asks for the login."""
    return _AUTH if auth else ("secrets", secret)


def named_logins(config: Config) -> tuple[Login, ...]:
    """Returns the logins of `docker_auth` and of the secrets that are named after a registry."""
    auth = config.base_image.docker_auth if config.base_image else None
    found = {
        name: Login(name.removeprefix(REGISTRY_SECRET_PREFIX), name, None)
        for name in config.secrets
        if name.startswith(REGISTRY_SECRET_PREFIX)
    }
    if auth is None or config.base_image is None or auth.auth_method in _IDENTITIES:
        return tuple(found.values())
    registry = auth.registry or image_reference.registry(config.base_image.image)
    name = auth.secret_name or f"{REGISTRY_SECRET_PREFIX}{registry}"
    user = "_json_key" if auth.auth_method == "GCP_SERVICE_ACCOUNT_JSON" else None
    return tuple({**found, name: Login(registry, name, user)}.values())


def _no_pull_secret(path: FieldPath, namespace: str) -> Problem:
    message = "the nodes cannot log in with the Secret that the stage's secrets are in"
    command = f"kubectl create secret docker-registry NAME -n {namespace} …"
    fix = f"run `{command}`, and add `pull_secret: NAME`"
    return Problem("config", path, message, fix, "blocks-deploy")
