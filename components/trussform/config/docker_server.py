"""The server in the image: its command, port and endpoints (Truss: `docker_server`)."""

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from trussform.schema import Int, Model, invalid

_TRUSS_APP_USER = 60000
"""Baseten's own user; Truss refuses it as `run_as_user_id`, and so does this."""


def _endpoint(path: str) -> str:
    if not path.startswith("/"):
        raise invalid(f"`{path}` is not a path", "start it with `/`")
    if bad := next((mark for mark in "?#" if mark in path), None):
        raise invalid(
            f"`{path}` has a `{bad}`; an endpoint is a path alone", f"end it before `{bad}`"
        )
    if len(path) > 1024:
        raise invalid("the path is longer than 1,024 characters", "shorten it")
    if any(ord(char) <= 32 or ord(char) >= 127 or char in '"\\^`{}<>|' for char in path):
        raise invalid(f"`{path}` has characters that a path cannot have", "percent-encode them")
    if "//" in path or "/../" in f"{path}/" or "/./" in f"{path}/":
        raise invalid(f"`{path}` is not a plain path", "write it without `//`, `.` and `..`")
    return path


Endpoint = Annotated[str, AfterValidator(_endpoint)]


class DockerServer(Model):
    no_build: bool | None = None
    """Run the base image as it is, whatever else the config asks to install."""

    start_command: str | None = Field(default=None, validate_default=True)
    """The command that starts the server. Required, except with `no_build`."""

    server_port: Int = Field(ge=1, le=65535)
    """The port that the server listens on, 1 to 65535."""

    predict_endpoint: Endpoint
    """The server's path that `/environments/{env}/predict` goes to."""

    readiness_endpoint: Endpoint
    """Answers 2xx while the server can take requests; traffic stops while it does not."""

    liveness_endpoint: Endpoint
    """Answers 2xx while the server is alive; the container restarts when it is not."""

    run_as_user_id: Int | None = Field(default=None, ge=1, le=2**31 - 1)
    """Linux user id of the server. Default: the image's own user."""

    @field_validator("start_command")
    @classmethod
    def _given(cls, command: str | None, info: ValidationInfo) -> str | None:
        if command is None and not info.data.get("no_build"):
            raise invalid("required field is missing", "add `start_command: …` here")
        if command is not None and not command.strip():
            raise invalid("the command is empty", "write the command that starts the server")
        if command is not None and "\0" in command:
            raise invalid("the command has a NUL character", "remove it")
        return command

    @field_validator("run_as_user_id")
    @classmethod
    def _own_user(cls, user: int | None) -> int | None:
        if user == _TRUSS_APP_USER:
            raise invalid(f"Truss reserves the user ID {user}", "use another ID")
        return user
