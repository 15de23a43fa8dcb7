"""The Secrets of a server: the files at `/secrets`, and the login of a private registry."""

import base64
import binascii
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict

from trussform.deploy.field_manager import with_field_manager
from trussform.manifests.auth import key_entries
from trussform.manifests.metadata import labels
from trussform.manifests.secrets import secret_name
from trussform.plan import Plan
from trussform.plan.pull import Login
from trussform.plan.secrets import set_command
from trussform.stage import ApiKeyAuth


def secret(
    plan: Plan,
    given: Mapping[str, pulumi.Input[str]],
    placement: Mapping[str, Any],
    parent: pulumi.Resource,
) -> pulumi.Input[str] | None:
    """The name of the Secret; None where the server reads none.

    A Secret made here has no fixed name, so that a changed value makes a new one beside
    the old, which the old pods still need.
    """
    if not plan.secrets.any:
        return None
    if plan.secrets.existing is not None or plan.secrets.store is not None:
        return secret_name(plan)
    names = (*plan.secrets.names, *plan.secrets.undeclared)
    made = kubernetes.core.v1.Secret(
        f"{plan.name}-secrets",
        metadata=_metadata(plan, placement),
        string_data={name: pulumi.Output.secret(given[name]) for name in names},
        opts=pulumi.ResourceOptions(parent=parent),
    )
    return made.metadata["name"]


def login(
    plan: Plan,
    given: Mapping[str, pulumi.Input[str]],
    placement: Mapping[str, Any],
    parent: pulumi.Resource,
) -> pulumi.Input[str] | None:
    """The name of the Secret that logs in to registries; None where the config names no login."""
    if not plan.pull.logins:
        return None
    auths = {
        login.registry: account(login, given).apply(
            lambda known: {"username": known[0], "password": known[1]}
        )
        for login in plan.pull.logins
    }
    made = kubernetes.core.v1.Secret(
        f"{plan.name}-registry",
        metadata=_metadata(plan, placement),
        type="kubernetes.io/dockerconfigjson",
        string_data={".dockerconfigjson": pulumi.Output.json_dumps({"auths": auths})},
        opts=pulumi.ResourceOptions(parent=parent),
    )
    return made.metadata["name"]


def api_keys(
    plan: Plan,
    given: Mapping[str, pulumi.Input[str]],
    placement: Mapping[str, Any],
    parent: pulumi.Resource,
) -> pulumi.Input[str] | None:
    """Returns the name of the Secret with the clients' keys, as the gateway compares them; None
    where callers send no key."""
    auth = plan.access.auth
    if not isinstance(auth, ApiKeyAuth):
        return None
    if auth.existing is not None:
        return auth.existing
    made = kubernetes.core.v1.Secret(
        f"{plan.name}-api-keys",
        metadata=_metadata(plan, placement),
        string_data=pulumi.Output.all(
            **{name: pulumi.Output.secret(given[name]) for name in plan.access.keys}
        ).apply(lambda keys: _credentials(auth, keys)),
        opts=pulumi.ResourceOptions(parent=parent),
    )
    return made.metadata["name"]


def _credentials(auth: ApiKeyAuth, keys: Mapping[str, str]) -> dict[str, str]:
    """Returns the entries of the Secret for the `keys` by name.

    Raises `pulumi.RunError` with every key that cannot work. With one key of two clients, Envoy
    Gateway would answer 500 to everybody.
    """
    mistakes: list[str] = []
    owners: dict[str, str] = {}
    for name, key in ((name, key.strip()) for name, key in keys.items()):
        if fault := _fault(key):
            mistakes.append(f"the key `{name}` {fault}; set another: {set_command(name)}")
            continue
        owner = owners.setdefault(key, name)
        if name not in (owner, auth.rotating.get(owner)):
            mistakes.append(
                f"the keys `{owner}` and `{name}` are the same, and a key is of one client; "
                f"set another: {set_command(name)}"
            )
    if mistakes:
        raise pulumi.RunError("\n".join(mistakes))
    return {
        entry: text
        for key, name in owners.items()
        for entry, text in key_entries(name, key).items()
    }


def _fault(key: str) -> str | None:
    """Returns why no client can send the key in a header; None for a key that works."""
    if not key:
        return "is empty"
    if any(character.isspace() for character in key):
        return "has white space in it"
    if key.isascii() and key.isprintable():
        return None
    return "has characters other than ASCII's letters, digits and signs"


def _metadata(plan: Plan, placement: Mapping[str, Any]) -> ObjectMetaArgsDict:
    namespace = placement.get("namespace", plan.namespace)
    return with_field_manager({"namespace": namespace, "labels": labels(plan)})


def account(login: Login, given: Mapping[str, pulumi.Input[str]]) -> pulumi.Output[tuple[str, str]]:
    """User and password, secret."""
    return pulumi.Output.secret(given[login.secret]).apply(
        lambda value: (login.user, value) if login.user else _pair(value, login.secret)
    )


def _pair(value: str, name: str) -> tuple[str, str]:
    """User and password of `user:password`, plain or in base64."""
    text = value.strip()
    with suppress(binascii.Error, UnicodeDecodeError):  # The colon of a plain one is no base64.
        text = base64.b64decode(text, validate=True).decode()
    user, colon, password = text.partition(":")
    if not colon:
        raise pulumi.RunError(
            f"the secret `{name}` is no login; give it as user:password, plain or in base64"
        )
    return user, password
