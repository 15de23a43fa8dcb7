"""Asks a registry for the digest of a tag, with Docker's own login."""

from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any

import requests
from docker import auth  # pyright: ignore[reportMissingTypeStubs]
from requests.utils import parse_dict_header

from trussform import image_reference
from trussform.stage import is_digest

TIMEOUT = 30
"""Seconds that the registry may take for an answer."""

PING_TIMEOUT = 3
"""Seconds for an answer of any kind."""

_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_ACCEPT = {"Accept": ", ".join(_MANIFESTS)}
_HUB = "registry-1.docker.io"

Login = tuple[str, str] | None


def digest(image: str) -> str:
    """Returns the digest that the registry has for a tag now.

    Raises `requests.RequestException` if the registry does not answer, and `ValueError` if its
    answer is not a digest.
    """
    name, tag, _ = image_reference.parse(image)
    host, _, repository = name.partition("/")
    host = _HUB if host == image_reference.HUB else host
    login = _login(image_reference.registry(image))
    path = f"/v2/{repository}/manifests/{tag or 'latest'}"
    answer = _reach(host, lambda origin: _head(f"{origin}{path}", login))
    found = answer.headers.get("Docker-Content-Digest")
    if answer.status_code != 200 or not found:
        raise ValueError(f"the registry answers {answer.status_code}")
    if not is_digest(found):
        raise ValueError("the registry does not answer with a digest")
    return found


def ping(host: str) -> None:
    """Asks a registry for any answer; raises `requests.RequestException` if there is none."""
    _reach(host, lambda origin: requests.get(f"{origin}/v2/", timeout=PING_TIMEOUT))


def _reach(host: str, ask: Callable[[str], requests.Response]) -> requests.Response:
    """Asks over HTTPS; a registry on this machine may speak plain HTTP, as for Docker."""
    try:
        return ask(f"https://{host}")
    except requests.ConnectionError:
        if not _is_this_machine(host):
            raise
        return ask(f"http://{host}")


def _head(url: str, login: Login) -> requests.Response:
    """Sends a HEAD request, and repeats it with the login that the registry asks for.

    The exchange is described at https://distribution.github.io/distribution/spec/auth/token/.
    """
    answer = requests.head(url, headers=_ACCEPT, timeout=TIMEOUT)
    scheme, _, parameters = answer.headers.get("WWW-Authenticate", "").partition(" ")
    if answer.status_code != 401:
        return answer
    if scheme.lower() == "basic":
        return requests.head(url, headers=_ACCEPT, auth=login, timeout=TIMEOUT)
    asked: Mapping[str, str | None] = parse_dict_header(parameters)
    query = {key: asked[key] for key in ("service", "scope") if key in asked}
    given = requests.get(asked.get("realm") or "", params=query, auth=login, timeout=TIMEOUT)
    given.raise_for_status()
    tokens: dict[str, Any] = given.json()
    token = tokens.get("token") or tokens.get("access_token")
    headers = {**_ACCEPT, "Authorization": f"Bearer {token}"}
    return requests.head(url, headers=headers, timeout=TIMEOUT)


def _login(registry: str) -> Login:
    """Returns the user and the password of `docker login`; None if there is none."""
    config: Any = auth.load_config()  # pyright: ignore[reportUnknownMemberType]
    found: Mapping[str, str] = config.resolve_authconfig(registry) or {}
    # A credential helper writes its names with a capital.
    login = {name.lower(): value for name, value in found.items()}
    return (login["username"], login["password"]) if login.get("username") else None


def _is_this_machine(host: str) -> bool:
    name = host.rpartition(":")[0] or host
    try:
        return name == "localhost" or ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
