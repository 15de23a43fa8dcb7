"""The files that the pod mounts: writable folders, a copy of the config, and shared memory."""

from typing import Any, NamedTuple

from trussform.config import ConfigFolder
from trussform.plan.given import Given
from trussform.plan.image import ImagePlan
from trussform.plan.resources import Requests
from trussform.problem import Problem

COPIED = ("/app", "/tmp", "/workspace", "/packages")
"""Folders that `run_as_user_id` owns on Baseten."""


class FilesPlan(NamedTuple):
    """The mounts of the container, except secrets and weights."""

    copied: tuple[str, ...]
    """Folders that are volumes; an init container copies the image's files into them."""
    copy_requests: Requests
    """The requests of that init container."""
    mounts_config: bool
    """True if `/app/config.yaml` is mounted."""
    config: dict[str, Any]
    """The config with its overrides, for `/app/config.yaml`; its secrets are null."""
    shm: str
    """The size limit of `/dev/shm`, as a Kubernetes quantity."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        folders = "/app and /tmp of the image"
        if self.copied:
            folders = (
                f"copies of {', '.join(self.copied)} (init container requests {self.copy_requests})"
            )
        return f"{folders}; /dev/shm up to {self.shm}"


def plan_files(given: Given, image: ImagePlan) -> FilesPlan:
    """Decides the folders of the image that the pod replaces with volumes.

    A build makes `run_as_user_id` the owner of Baseten's folders. Without a build, the server gets
    copies that it owns. An image that runs its own entrypoint may have no shell to copy with, so
    its folders stay as they are, as in Truss.
    """
    config = given.config
    server = config.docker_server
    builds = image.build is not None and not image.build.bare
    foreign = server.run_as_user_id is not None and not builds
    copies = foreign and server.start_command is not None
    gpus = config.resources.accelerator.count if config.resources.accelerator else 0
    if copies:
        why = "`run_as_user_id` may not write to these folders of the image, so it gets copies"
    elif foreign:
        why = "an image without `start_command` may have no shell to copy its folders with"
    else:
        why = "no volume hides these folders of the image"
    memory = "shared memory is 8Gi per GPU" if gpus else "shared memory is 1Gi without a GPU"
    mounts = {source.mount_location.rstrip("/") for source in config.weights}
    return FilesPlan(
        copied=tuple(folder for folder in COPIED if copies and folder not in mounts),
        copy_requests=Requests("100m", "64Mi"),
        mounts_config=not server.no_build,
        config=_without_values(given.folder),
        shm=f"{8 * gpus}Gi" if gpus else "1Gi",
        why=f"{why}; {memory}",
    )


def _without_values(folder: ConfigFolder) -> dict[str, Any]:
    """Returns the config as data with null for every secret, because pods and YAML show it."""
    data: dict[str, Any] = folder.source.data
    if "secrets" not in data:
        return data
    return {**data, "secrets": dict.fromkeys(folder.config.secrets)}
