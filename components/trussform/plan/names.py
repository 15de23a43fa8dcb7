"""The names of a server's objects."""

import hashlib
import re
from typing import NamedTuple

from trussform.plan.given import Given
from trussform.problem import Problem

_PLAIN = re.compile(r"[a-z]([-a-z0-9]{0,48}[a-z0-9])?")


class NamesPlan(NamedTuple):
    server: str
    """The name of the Deployment, the Service and the route; the first label of the host."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return f"{self.server}; objects beside it are named {self.server}-…"

    @property
    def auth_policy(self) -> str:
        return f"{self.server}-auth"

    @property
    def traffic_policy(self) -> str:
        return f"{self.server}-traffic"

    @property
    def weights(self) -> str:
        """The PersistentVolumeClaim that the server has for itself."""
        return f"{self.server}-weights"

    @property
    def fetcher(self) -> str:
        """The ConfigMap with the program that fetches weights."""
        return f"{self.server}-fetcher"

    @property
    def secrets(self) -> str:
        """The Secret behind `/secrets`; Pulumi appends a random suffix to its own."""
        return f"{self.server}-secrets"

    @property
    def registry_login(self) -> str:
        return f"{self.server}-registry"

    @property
    def api_keys(self) -> str:
        return f"{self.server}-api-keys"

    @property
    def tls(self) -> str:
        """The Secret that cert-manager writes the certificate to."""
        return f"{self.server}-tls"


def plan_names(given: Given) -> NamesPlan:
    name = kubernetes_name(given.name)
    if name == given.name:
        return NamesPlan(name, "the server's name in the stage")
    return NamesPlan(
        name, f"`{given.name}` is not a DNS label of at most 50 characters, so a hash is added"
    )


def kubernetes_name(name: str) -> str:
    """Returns the name itself if Kubernetes takes it, else a readable form with a hash.

    The result is a DNS label of at most 50 characters that starts with a letter. One name always
    gives the same result, and no other name gives it.
    """
    if _PLAIN.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not readable[:1].isalpha():
        readable = f"server-{readable}"
    return f"{readable[:40].strip('-')}-{digest}"
