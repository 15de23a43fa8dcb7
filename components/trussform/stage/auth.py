"""The callers that may use a route (auth)."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from trussform.config.credentials import KeyName
from trussform.schema import Model, invalid
from trussform.stage.names import Label, ObjectName, Port


def _path(path: str) -> str:
    if not re.fullmatch(r"(/[-._~a-zA-Z0-9]*)+", path):
        raise invalid(f"`{path}` is not a plain path", "write it as in /verify")
    return path


def _header(name: str) -> str:
    if not re.fullmatch(r"[a-zA-Z][-a-zA-Z0-9]*", name):
        raise invalid(f"`{name}` is not the name of a header", "write it as in X-User")
    return name


class ApiKeyAuth(Model):
    """Clients send a key as they do to Baseten, and the gateway compares it.

    A key opens as `Authorization: Bearer KEY` and as `Authorization: Api-Key KEY`; gRPC clients may
    send either as `baseten-authorization`. The server never sees these headers. Needs Envoy
    Gateway.
    """

    kind: Literal["api-key"]
    keys: Annotated[list[KeyName], Field(min_length=1)] | None = None
    """Secrets of the stack, one per client. The secret's name is the client's; its value is the
    key, without white space."""
    rotating: dict[KeyName, KeyName] = Field(default_factory=dict)
    """A second secret of the stack by client, whose value is a key of that client too:
    `{ci: ci_next}`. Both keys open while the client changes from one to the other."""
    existing: ObjectName | None = None
    """An existing Secret, in place of `keys`. It has two entries per client, of any names: `KEY`,
    which opens as `Bearer KEY`, and `Api-Key KEY`."""

    @model_validator(mode="after")
    def _one_of_them(self) -> "ApiKeyAuth":
        if (self.keys is None) == (self.existing is None):
            raise invalid(
                "`auth` needs either `keys` or `existing`",
                "write either `keys: [CLIENT]` or `existing: NAME`",
            )
        if len(set(self.keys or ())) < len(self.keys or ()):
            raise invalid("the same client is listed twice", "name each client once")
        return self

    @model_validator(mode="after")
    def _rotating_clients(self) -> "ApiKeyAuth":
        clients = set(self.keys or ())
        if strangers := self.rotating.keys() - clients:
            names = ", ".join(f"`{name}`" for name in sorted(strangers))
            raise invalid(
                f"`rotating` names {names}, which `keys` does not list",
                "name only clients of `keys`",
            )
        seconds = list(self.rotating.values())
        if clients & set(seconds) or len(set(seconds)) < len(seconds):
            raise invalid(
                "a secret of `rotating` is also the key of another client",
                "give each client a second secret of its own",
            )
        return self

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets of the stack whose values are keys."""
        return (*(self.keys or ()), *self.rotating.values())


class ForwardAuth(Model):
    """A Service of the cluster is asked before each request: with 2xx it may pass, any other
    answer is the client's.

    Envoy Gateway asks one in another namespace only where a ReferenceGrant in that namespace
    allows it: from SecurityPolicy of the servers' namespace, to Service.
    """

    kind: Literal["forward"]
    service: Label
    namespace: Label
    """The Service's namespace."""
    port: Port = 80
    path: Annotated[str, AfterValidator(_path)] = "/"
    """The path that is asked; Envoy Gateway appends that of the request."""
    headers: list[Annotated[str, AfterValidator(_header)]] = Field(default_factory=list)
    """Headers of the answer that the server gets: `[X-User]`. The Service must set each of them in
    every 2xx: Envoy Gateway lets the client's own pass where the answer has none."""


def _spelling(value: Any) -> str:
    return "a word" if isinstance(value, str) else "a way"


Auth = Annotated[
    Annotated[Literal["none"], Tag("a word")]
    | Annotated[Annotated[ApiKeyAuth | ForwardAuth, Field(discriminator="kind")], Tag("a way")],
    Discriminator(_spelling),
]
