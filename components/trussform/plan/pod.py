"""What surrounds the server in its pod: user, files, environment and sizes."""

from typing import NamedTuple

from trussform.config import Config
from trussform.config.resources import machine
from trussform.problem import Finding

GROUP = 60000
"""The group that may read the secrets; any number serves, as the pod's processes get it."""


class User(NamedTuple):
    id: int | None
    """None: the image's own user."""
    group: int
    why: str

    def __str__(self) -> str:
        return "the image's own" if self.id is None else str(self.id)


class Files(NamedTuple):
    copy_app: bool
    """Whether `/app` is a volume that gets a copy of the image's `/app` first."""
    shm: str
    """Size limit of `/dev/shm`."""
    why: str

    def __str__(self) -> str:
        app = "a volume with a copy of the image's" if self.copy_app else "the image's"
        return f"/app {app}; /tmp a volume; /dev/shm up to {self.shm}"


class Size(NamedTuple):
    cpu: str
    memory: str
    why: str

    def __str__(self) -> str:
        return f"requests {self.cpu} CPU and {self.memory}"


def user(config: Config) -> User:
    id = config.docker_server.run_as_user_id
    why = "the config says nothing else" if id is None else "run_as_user_id; no capabilities"
    return User(id, GROUP, why)


def files(config: Config, builds: bool) -> Files:
    """A build gives `/app` to the user in the image; root owns it anyway.

    What runs as its image is, with no command of the config's, may have no shell to copy with;
    Truss leaves its `/app` as it is, too.
    """
    server = config.docker_server
    foreign = server.run_as_user_id is not None and not builds
    copy = foreign and server.start_command is not None
    gpus = config.resources.accelerator.count if config.resources.accelerator else 0
    if copy:
        why = "run_as_user_id could not write the image's own /app"
    elif foreign:
        why = "no_build leaves it as it is, and run_as_user_id may not write all of it"
    else:
        why = "writable as it is"
    return Files(copy, f"{8 * gpus}Gi" if gpus else "1Gi", f"{why}; shared memory 8Gi per GPU")


def size(config: Config) -> tuple[Size, list[Finding]]:
    resources = config.resources
    plan = Size(resources.cpu, resources.memory, "minimums in Truss: requests, never limits")
    named = resources.instance_type
    if not named or machine(named):
        return plan, []
    message = f"nothing is known of the instance type `{named}`"
    help = "write `accelerator`, `cpu` and `memory` in its place"
    return plan, [Finding("config", ("resources", "instance_type"), message, help)]


def environment_variables(config: Config, files: Files) -> dict[str, str]:
    """What Truss's build sets in the image; the config's variables come last and win.

    HOME is there where a user of the config runs in an image that was not built for it, and
    could write nowhere at home.
    """
    made = {"APP_HOME": "/app"}
    if files.copy_app and not config.docker_server.no_build:
        made["HOME"] = "/tmp"
    return {**made, **config.environment_variables}
