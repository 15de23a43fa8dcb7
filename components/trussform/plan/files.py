"""The files that the pod adds to the image: writable folders, the config's copy, shared memory."""

from typing import Any, NamedTuple

from trussform.config import ConfigFolder
from trussform.plan.given import Given
from trussform.plan.image import ImagePlan
from trussform.plan.resources import Requests
from trussform.problem import Problem

COPIED = ("/app", "/tmp", "/workspace", "/packages")
"""Folders that Baseten gives to `run_as_user_id`."""


class FilesPlan(NamedTuple):
    copied: tuple[str, ...]
    """Folders that are volumes; an init container fills each with a copy of the image's."""
    copy_requests: Requests
    """The requests of that init container."""
    mounts_config: bool
    """True if `/app/config.yaml` is mounted."""
    config: dict[str, Any]
    """The effective config, for `/app/config.yaml`; its secrets are null."""
    shm: str
    """Size limit of `/dev/shm`."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        own = "the image's own"
        if self.copied:
            own = f"volumes that an init container fills ({self.copy_requests})"
        folders = ", ".join(self.copied or ("/app", "/tmp"))
        return f"{folders}: {own}; /dev/shm up to {self.shm}"


def plan_files(given: Given, image: ImagePlan) -> FilesPlan:
    """Decides which folders of the image the pod replaces with volumes.

    A build gives Baseten's folders to `run_as_user_id` in the image. Where nothing is built, the
    server gets copies that it owns. An image that runs by its own command may have no shell to
    copy with, so its folders stay as they are, as in Truss.
    """
    config = given.config
    server = config.docker_server
    builds = image.build is not None and not image.build.bare
    foreign = server.run_as_user_id is not None and not builds
    copies = foreign and server.start_command is not None
    gpus = config.resources.accelerator.count if config.resources.accelerator else 0
    if copies:
        why = "run_as_user_id could not write the image's own folders"
    elif foreign:
        why = "no_build leaves them as they are, and run_as_user_id may not write all of them"
    else:
        why = "no mount hides files of the image"
    taken = {source.mount_location.rstrip("/") for source in config.weights}
    return FilesPlan(
        copied=tuple(folder for folder in COPIED if copies and folder not in taken),
        copy_requests=Requests("100m", "64Mi"),
        mounts_config=not server.no_build,
        config=_without_values(given.folder),
        shm=f"{8 * gpus}Gi" if gpus else "1Gi",
        why=f"{why}; shared memory 8Gi per GPU",
    )


def _without_values(folder: ConfigFolder) -> dict[str, Any]:
    """Returns the config as data, its secrets null whatever stands there: pods and YAML show it."""
    data: dict[str, Any] = folder.source.data
    if "secrets" not in data:
        return data
    return {**data, "secrets": dict.fromkeys(folder.config.secrets)}
