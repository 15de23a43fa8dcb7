"""What surrounds the server in its pod: user, files, environment and sizes."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

from trussform.config import Config
from trussform.config.instances import machine, similar
from trussform.problem import FieldPath, Problem

GROUP = 60000
"""The group that may read the secrets; any number serves, as the pod's processes get it."""


COPIED = ("/app", "/tmp", "/workspace", "/packages")
"""Folders that Baseten gives to `run_as_user_id`."""

RESERVED = (
    "PATH", "PORT", "HOST", "HOSTNAME", "K_SERVICE", "K_REVISION", "K_CONFIGURATION",
    "*_SERVICE_HOST", "*_SERVICE_PORT*", "KUBERNETES_*",
)  # fmt: skip
"""Names of `environment_variables` that Baseten drops, by
https://docs.baseten.co/development/model/custom-server, "Runtime environment"."""

POD_FIELDS = {"BT_MODEL_DEPLOYMENT_ID": "metadata.labels['pod-template-hash']"}
"""Variables that Baseten sets and that only Kubernetes knows, each by the pod's field."""


class User(NamedTuple):
    id: int | None
    """None: the image's own user."""
    group: int
    why: str

    def __str__(self) -> str:
        return "the image's own" if self.id is None else str(self.id)


class Files(NamedTuple):
    copied: tuple[str, ...]
    """Folders that are volumes, each filled with a copy of what the image has there."""
    config: bool
    """True if `/app/config.yaml` is mounted."""
    shm: str
    """Size limit of `/dev/shm`."""
    why: str

    def __str__(self) -> str:
        own = "volumes with a copy of the image's" if self.copied else "the image's own"
        folders = ", ".join(self.copied or ("/app", "/tmp"))
        return f"{folders}: {own}; /dev/shm up to {self.shm}"


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
    """Decides which folders of the image the pod replaces by volumes.

    A build gives Baseten's folders to `run_as_user_id` in the image. Where nothing is built, the
    server gets copies that it owns. An image that runs by its own command may have no shell to
    copy with, so its folders stay as they are, as in Truss.
    """
    server = config.docker_server
    foreign = server.run_as_user_id is not None and not builds
    copies = foreign and server.start_command is not None
    gpus = config.resources.accelerator.count if config.resources.accelerator else 0
    if copies:
        why = "run_as_user_id could not write the image's own folders"
    elif foreign:
        why = "no_build leaves them as they are, and run_as_user_id may not write all of them"
    else:
        why = "nothing hides what the image has there"
    taken = {source.mount_location.rstrip("/") for source in config.weights}
    return Files(
        copied=tuple(folder for folder in COPIED if copies and folder not in taken),
        config=not server.no_build,
        shm=f"{8 * gpus}Gi" if gpus else "1Gi",
        why=f"{why}; shared memory 8Gi per GPU",
    )


def size(config: Config) -> tuple[Size, list[Problem]]:
    """Decides the requests for CPU and memory: those of the named machine, or of the fields."""
    resources = config.resources
    name = resources.instance_type
    if not name:
        why = "minimums in Truss: requests, never limits"
        return Size(resources.cpu, resources.memory, why), []
    plan = Size(resources.cpu, resources.memory, f"the machine `{name}`: requests, never limits")
    field: FieldPath = ("resources", "instance_type")
    found = machine(name)
    if found is None:
        near = ", ".join(f"`{title}`" for title in similar(name))
        message = f"`{name}` is not an instance type of Baseten's"
        fix = "write `accelerator`, `cpu` and `memory` in its place"
        fix = f"write one of its names, as in {near}, or {fix}" if near else fix
        return plan, [Problem("config", field, message, fix)]
    if found.cpu is None:
        message = f"the CPU and memory of `{name}` are not known; the pod requests 1 CPU and 2Gi"
        fix = f"write both into the name, as in `{found.accelerator}:8x32`"
        return plan, [Problem("config", field, message, fix, "warning")]
    return plan, []


def environment_variables(
    config: Config, files: Files, name: str
) -> tuple[dict[str, str], list[Problem]]:
    """Decides the variables of the server: what Baseten sets, then the config's, which win.

    `name`: the server's name in Kubernetes. Names that Baseten reserves are dropped, each with a
    warning.
    """
    server = config.docker_server
    made = {"APP_HOME": "/app", "PORT": str(server.server_port), "BT_MODEL_ID": name}
    if not server.no_build:
        base = config.base_image
        made["PYTHON_EXECUTABLE"] = (base and base.python_executable_path) or "python3"
        if files.copied:
            # The user may have no home in an image that was not built for it.
            made["HOME"] = "/tmp"
    return {**made, **own_variables(config)}, list(_dropped(config))


def own_variables(config: Config) -> dict[str, str]:
    """Returns the config's variables without those whose names Baseten reserves."""
    return {key: text for key, text in config.environment_variables.items() if not _reserved(key)}


def _reserved(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in RESERVED)


def _dropped(config: Config) -> Iterator[Problem]:
    helps = {
        "PATH": "write `export PATH=/folder:$PATH` in `sh -c`, or ENV PATH in the base image",
        "PORT": f"remove it; PORT is {config.docker_server.server_port} here, the `server_port`",
        "HOSTNAME": "remove it; HOSTNAME is the name of the pod",
    }
    for name in filter(_reserved, config.environment_variables):
        message = "the name is reserved: the variable is dropped here, as on Baseten"
        other = "" if _reserved(f"MY_{name}") else f", as in `MY_{name}`"
        fix = helps.get(name, f"remove it, or use another name{other}")
        yield Problem("config", ("environment_variables", name), message, fix, "warning")
