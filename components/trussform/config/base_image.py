"""The image that the server starts from (Truss: `base_image`)."""

import re

from pydantic import field_validator

from trussform import image_reference
from trussform.config.credentials import DockerAuth
from trussform.schema import Model, invalid

_PLACEHOLDER = re.compile(r"<[-_ a-zA-Z0-9]+>")


class BaseImage(Model):
    """The image that the server starts from."""

    image: str
    """The repository with a tag or a digest: `vllm/vllm-openai:v0.11.0`."""

    python_executable_path: str = ""
    """The absolute path of the Python that requirements are installed for. Default: `python3` on
    PATH."""

    docker_auth: DockerAuth | None = None
    """The login to a private registry. Default: none."""

    @field_validator("image")
    @classmethod
    def _check_image(cls, image: str) -> str:
        check_image(_PLACEHOLDER.sub("placeholder", image))
        return image

    @field_validator("python_executable_path")
    @classmethod
    def _check_path(cls, path: str) -> str:
        if path and not path.startswith("/"):
            raise invalid(f"`{path}` is not an absolute path", "start it with `/`")
        return path


def has_placeholder(image: str) -> bool:
    """Returns true if a part of the name is a placeholder, as in `<your-registry>/server:v1`."""
    return _PLACEHOLDER.search(image) is not None


def check_image(image: str) -> str:
    """Returns the name of an image unchanged; raises a validation error if it is not one."""
    if any(char.isspace() for char in image):
        raise invalid("the name of an image cannot have white space", "write repository:tag")
    try:
        image_reference.parse(image)
    except image_reference.Invalid as error:
        reason = error if image == image.lower() else "repository names are lower-case"
        message = f"`{image}` is not the name of an image: {reason}"
        if "://" in image or "@" in image.partition("/")[0]:
            message = "this is not the name of an image"  # The text may hold a password.
        raise invalid(message, "write repository:tag or repository@sha256:…") from None
    return image
