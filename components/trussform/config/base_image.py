"""The image that the server starts from (Truss: `base_image`)."""

import re

from pydantic import field_validator

from trussform import image_reference
from trussform.config.credentials import DockerAuth
from trussform.schema import Model, invalid

_PLACEHOLDER = re.compile(r"<[-_ a-zA-Z0-9]+>")


class BaseImage(Model):
    image: str
    """Repository with a tag or a digest, as in `vllm/vllm-openai:v0.11.0`."""

    python_executable_path: str = ""
    """Absolute path of the Python that gets the requirements; default `python3` on PATH."""

    docker_auth: DockerAuth | None = None
    """The login to a private registry."""

    @field_validator("image")
    @classmethod
    def _reference(cls, image: str) -> str:
        check_image(_PLACEHOLDER.sub("placeholder", image))
        return image

    @field_validator("python_executable_path")
    @classmethod
    def _absolute(cls, path: str) -> str:
        if path and not path.startswith("/"):
            raise invalid(f"`{path}` is not an absolute path", "start it with `/`")
        return path


def _why(image: str, error: Exception) -> str:
    if image != image.lower():
        return ": repository names are lower-case"
    return f": {error}"


def has_placeholder(image: str) -> bool:
    """Returns true if a part of the name is a placeholder, as in `<your-registry>/server:v1`."""
    return _PLACEHOLDER.search(image) is not None


def check_image(image: str) -> str:
    """Returns the name of an image unchanged; raises an error for pydantic if it is not one."""
    if any(char.isspace() for char in image):
        raise invalid("an image has no white space in its name", "write repository:tag")
    try:
        image_reference.parse(image)
    except image_reference.Invalid as error:
        login = "://" in image or "@" in image.partition("/")[0]
        raise invalid(
            "this is not the name of an image"
            if login
            else f"`{image}` is not an image{_why(image, error)}",
            "write repository:tag or repository@sha256:…",
        ) from None
    return image
