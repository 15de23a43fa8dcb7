"""The names of a server's objects."""

import hashlib
import re
from typing import NamedTuple

from trussform.plan.given import Given
from trussform.problem import Problem

_PLAIN = re.compile(r"[a-z]([-a-z0-9]{0,48}[a-z0-9])?")


class NamesPlan(NamedTuple):
    """The names of a server's Kubernetes objects."""

    server: str
    """The name of the Deployment, the Service and the route, and the first label of the host."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return f"{self.server}; other objects: {self.server}-…"

    @property
    def auth_policy(self) -> str:
        """The policy that checks the callers."""
        return f"{self.server}-auth"

    @property
    def traffic_policy(self) -> str:
        """The BackendTrafficPolicy of Envoy Gateway."""
        return f"{self.server}-traffic"

    @property
    def weights(self) -> str:
        """The server's own PersistentVolumeClaim."""
        return f"{self.server}-weights"

    @property
    def fetcher(self) -> str:
        """The ConfigMap with the program that fetches weights."""
        return f"{self.server}-fetcher"

    @property
    def secrets(self) -> str:
        """The Secret at `/secrets`; Pulumi appends a random suffix to a Secret that it creates."""
        return f"{self.server}-secrets"

    @property
    def registry_login(self) -> str:
        """The Secret that the nodes pull the image with."""
        return f"{self.server}-registry"

    @property
    def api_keys(self) -> str:
        """The Secret with the API keys of the clients."""
        return f"{self.server}-api-keys"

    @property
    def tls(self) -> str:
        """The Secret that cert-manager writes the certificate to."""
        return f"{self.server}-tls"


def plan_names(given: Given) -> NamesPlan:
    """Decides the name that the names of all objects begin with."""
    name = kubernetes_name(given.name)
    if name == given.name:
        return NamesPlan(name, "the server's name in the stage")
    return NamesPlan(
        name,
        f"`{given.name}` is not a lower-case DNS label of at most 50 characters, so the name gets "
        "a hash",
    )


def kubernetes_name(name: str) -> str:
    """Returns the name itself if Kubernetes accepts it, else a readable form with a hash.

    The result is a DNS label of at most 50 characters that starts with a letter. The same
    name always gives the same result, and two names never give the same.
    """
    if _PLAIN.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not readable[:1].isalpha():
        readable = f"server-{readable}"
    return f"{readable[:40].strip('-')}-{digest}"
