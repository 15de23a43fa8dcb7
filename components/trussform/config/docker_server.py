"""The server in the image: its command, port and endpoints (Truss: `docker_server`)."""

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from trussform.schema import Int, Model, invalid

_TRUSS_APP_USER = 60000
"""The user ID that Truss reserves; `run_as_user_id` cannot have it."""


def _endpoint(path: str) -> str:
    if not path.startswith("/"):
        raise invalid(f"`{path}` is not a path", "start it with `/`")
    if bad := next((mark for mark in "?#" if mark in path), None):
        raise invalid(
            f"`{path}` has a `{bad}`, and an endpoint is only a path", f"end it before `{bad}`"
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
    """The command, port and endpoints of a custom server."""

    no_build: bool | None = None
    """True runs the base image as it is, and installs nothing. Default: false."""

    start_command: str | None = Field(default=None, validate_default=True)
    """The command that starts the server, split into words as in Truss and run without a shell.
    Required unless `no_build` is true; `no_build` runs it with `sh -c`."""

    server_port: Int = Field(ge=1, le=65535)
    """The port that the server listens on: 1 to 65535."""

    predict_endpoint: Endpoint
    """The server's path for requests to `/environments/{env}/predict`."""

    readiness_endpoint: Endpoint
    """The path of the startup and readiness probes. Traffic stops while it does not return 2xx."""

    liveness_endpoint: Endpoint
    """The path of the liveness probe. The container restarts if it does not return 2xx."""

    run_as_user_id: Int | None = Field(default=None, ge=1, le=2**31 - 1)
    """The Linux user ID of the server. Default: the image's user."""

    @field_validator("start_command")
    @classmethod
    def _check_command(cls, command: str | None, info: ValidationInfo) -> str | None:
        if command is None and not info.data.get("no_build"):
            raise invalid("required field is missing", "add `start_command: …` here")
        if command is not None and not command.strip():
            raise invalid("the command is empty", "write the command that starts the server")
        if command is not None and "\0" in command:
            raise invalid("the command has a NUL character", "remove it")
        return command

    @field_validator("run_as_user_id")
    @classmethod
    def _check_user(cls, user: int | None) -> int | None:
        if user == _TRUSS_APP_USER:
            raise invalid(f"Truss reserves the user ID {user}", "use another ID")
        return user
