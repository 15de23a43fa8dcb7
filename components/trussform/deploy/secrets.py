"""The Secrets of a server: the files at `/secrets`, and the login of a private registry."""

import base64
import binascii
from collections.abc import Mapping
from contextlib import suppress
from typing import cast

import pulumi

from trussform.deploy.kubernetes_object import KubernetesObject
from trussform.manifests import DeployValues
from trussform.manifests.auth import key_entries
from trussform.plan import Plan
from trussform.plan.known_secrets import set_command
from trussform.plan.pull import Login

Secrets = Mapping[str, pulumi.Input[str]]
"""The values that the program gives, by name."""

Values = DeployValues[pulumi.Input[str]]


def value_of(given: Secrets, name: str) -> pulumi.Input[str]:
    """Returns the value of a secret; raises `pulumi.RunError` if an output turns out to lack it."""
    if not isinstance(given, pulumi.Output):
        return given[name]
    known = cast(pulumi.Output[Mapping[str, str]], given)
    return known.apply(lambda values: _found(values, name))


def _found(values: Mapping[str, str], name: str) -> str:
    if name not in values:
        message = f"args: secrets: the secret `{name}` has no value"
        raise pulumi.RunError(f"{message}; add it to the argument `secrets`")
    return values[name]


def secret(
    plan: Plan, given: Secrets, values: Values, parent: pulumi.Resource
) -> pulumi.Input[str]:
    """Returns the name of the Secret behind `/secrets`; empty if the server reads none.

    A Secret of Pulumi's has no fixed name, so that a changed value makes a new one beside the old,
    which the old pods still need.
    """
    if not plan.secrets.any:
        return ""
    if plan.secrets.source != "pulumi":
        return plan.secrets.secret
    names = (*plan.secrets.names, *plan.secrets.undeclared)
    data = {name: value_of(given, name) for name in names}
    return _new_secret(plan.names.secrets, plan, values, data, parent)


def login(
    plan: Plan, given: Secrets, values: Values, parent: pulumi.Resource
) -> pulumi.Input[str] | None:
    """Returns the name of the Secret for registries; None if the config has no login."""
    if not plan.pull.logins:
        return None
    auths = {
        login.registry: account(login, given).apply(
            lambda known: {"username": known[0], "password": known[1]}
        )
        for login in plan.pull.logins
    }
    data = {".dockerconfigjson": pulumi.Output.json_dumps({"auths": auths})}
    kind = "kubernetes.io/dockerconfigjson"
    return _new_secret(plan.names.registry_login, plan, values, data, parent, type=kind)


def api_keys(
    plan: Plan, given: Secrets, values: Values, parent: pulumi.Resource
) -> pulumi.Input[str]:
    """Returns the name of the Secret with the clients' keys; empty if callers send no key."""
    if plan.auth.kind != "api-key":
        return ""
    if plan.auth.existing is not None:
        return plan.auth.existing
    keys = pulumi.Output.all(**{name: value_of(given, name) for name in plan.auth.keys})
    data = keys.apply(lambda keys: _credentials(plan.auth.rotating, keys))
    return _new_secret(plan.names.api_keys, plan, values, data, parent)


def _credentials(rotating: Mapping[str, str], keys: Mapping[str, str]) -> dict[str, str]:
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
        if name not in (owner, rotating.get(owner)):
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


def _new_secret(
    name: str,
    plan: Plan,
    values: Values,
    data: pulumi.Input[Mapping[str, pulumi.Input[str]]],
    parent: pulumi.Resource,
    type: str | None = None,
) -> pulumi.Output[str]:
    """Returns the name of a new Secret in the cluster."""
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": values.namespace, "labels": dict(plan.labels.every)},
        "type": type,
        "stringData": pulumi.Output.secret(data),
    }
    # The provider answers with `data`, which the engine must encrypt as well.
    hidden = ["data", "stringData"]
    opts = pulumi.ResourceOptions(parent=parent, additional_secret_outputs=hidden)
    return KubernetesObject(name, manifest, opts).metadata["name"]


def account(login: Login, given: Secrets) -> pulumi.Output[tuple[str, str]]:
    """Returns the user and the password of a login, as secret outputs."""
    return pulumi.Output.secret(value_of(given, login.secret)).apply(
        lambda value: (login.user, value) if login.user else _pair(value, login.secret)
    )


def _pair(value: str, name: str) -> tuple[str, str]:
    """Returns the user and the password of `user:password`, plain or in base64."""
    text = value.strip()
    with suppress(binascii.Error, UnicodeDecodeError):  # The colon of a plain one is no base64.
        text = base64.b64decode(text, validate=True).decode()
    user, colon, password = text.partition(":")
    if not colon:
        raise pulumi.RunError(
            f"the secret `{name}` is not a login; give it as user:password, plain or in base64"
        )
    return user, password
