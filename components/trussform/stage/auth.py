"""The authentication of requests from outside the cluster."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from trussform.config.credentials import KeyName
from trussform.schema import Model, invalid
from trussform.stage.names import Label, ObjectName, Port


def _check_path(path: str) -> str:
    if not re.fullmatch(r"(/[-._~a-zA-Z0-9]*)+", path):
        raise invalid(f"`{path}` is not a plain path", "write it as in /verify")
    return path


def _check_header(name: str) -> str:
    if not re.fullmatch(r"[a-zA-Z][-a-zA-Z0-9]*", name):
        raise invalid(f"`{name}` is not the name of a header", "write it as in X-User")
    return name


class ApiKeyAuth(Model):
    """Clients send an API key as they do to Baseten, and Envoy Gateway compares it.

    A client sends `Authorization: Bearer KEY` or `Authorization: Api-Key KEY`. A gRPC client may
    send either value as `baseten-authorization`. The server does not receive these headers.
    """

    kind: Literal["api-key"]
    keys: Annotated[list[KeyName], Field(min_length=1)] | None = None
    """Secrets of the stack, one per client. A secret's name is the name of the client. Its value is
    the key, without white space."""
    rotating: dict[KeyName, KeyName] = Field(default_factory=dict)
    """A second secret of the stack for a client of `keys`: `{ci: ci_next}`. Both keys are valid
    while the client changes from one to the other. Default: none."""
    existing: ObjectName | None = None
    """An existing Secret in place of `keys`. It has two entries per client: one with the value
    `KEY`, for `Bearer KEY`, and one with the value `Api-Key KEY`. The entries may have any
    names."""

    @model_validator(mode="after")
    def _check_keys(self) -> "ApiKeyAuth":
        if (self.keys is None) == (self.existing is None):
            message = "`auth` needs either `keys` or `existing`"
            raise invalid(message, "write either `keys: [CLIENT]` or `existing: NAME`")
        if len(set(self.keys or ())) < len(self.keys or ()):
            raise invalid("`keys` lists a client twice", "list each client once")
        return self

    @model_validator(mode="after")
    def _check_rotating(self) -> "ApiKeyAuth":
        clients = set(self.keys or ())
        if unknown := self.rotating.keys() - clients:
            names = ", ".join(f"`{name}`" for name in sorted(unknown))
            message = f"`rotating` names {names}, which `keys` does not list"
            raise invalid(message, "name only clients of `keys`")
        seconds = list(self.rotating.values())
        if clients & set(seconds) or len(set(seconds)) < len(seconds):
            message = "a secret of `rotating` is also the key of another client"
            raise invalid(message, "use a separate second secret for each client")
        return self

    @property
    def secrets(self) -> tuple[str, ...]:
        """Returns the names of the stack's secrets whose values are keys."""
        return (*(self.keys or ()), *self.rotating.values())


class ForwardAuth(Model):
    """An auth service decides on each request.

    The gateway calls the service first. If the response is 2xx, the request goes on to the server;
    the client gets any other response. With Envoy Gateway, a service in another namespace needs a
    ReferenceGrant there: from SecurityPolicy in the servers' namespace, to Service.
    """

    kind: Literal["forward"]
    service: Label
    """The name of the auth service's Kubernetes Service."""
    namespace: Label
    """The namespace of the auth service."""
    port: Port = 80
    """The port of the auth service. Default: 80."""
    path: Annotated[str, AfterValidator(_check_path)] = "/"
    """The path of the calls. Envoy Gateway appends the path of the request. Default: `/`."""
    headers: list[Annotated[str, AfterValidator(_check_header)]] = Field(default_factory=list)
    """Headers of the 2xx response that the server receives: `[X-User]`. The auth service must set
    all of them in each 2xx response; otherwise Envoy Gateway passes the client's own headers.
    Default: none."""


def _form(value: Any) -> str:
    return "<text>" if isinstance(value, str) else "<object>"


def _word(value: Any) -> Any:
    """Returns `none` for its long form, `{kind: none}`, which typed programs write."""
    return "none" if value == {"kind": "none"} else value


# A tag in angle brackets cannot be mistaken for a field in the path of an error.
Auth = Annotated[
    Annotated[Literal["none"], Tag("<text>")]
    | Annotated[Annotated[ApiKeyAuth | ForwardAuth, Field(discriminator="kind")], Tag("<object>")],
    Discriminator(_form),
    BeforeValidator(_word),
]
