"""The environment variables by which a container finds the GPU driver, or gets no GPU."""

from collections.abc import Mapping
from typing import NamedTuple

from trussform.image_reference import Invalid, parse
from trussform.plan.given import Given
from trussform.problem import Problem

VISIBLE = "NVIDIA_VISIBLE_DEVICES"
"""The variable by which NVIDIA's container runtime chooses the GPUs of a container."""
NO_GPU = {VISIBLE: "void"}
"""Hides the node's GPUs. NVIDIA's runtime would show all of them to an image that sets `all`."""
LIBRARIES = "LD_LIBRARY_PATH"
GKE_LIBRARIES = "/usr/local/nvidia/lib:/usr/local/nvidia/lib64"
"""The folders of the driver in a GPU pod on GKE. Source:
https://cloud.google.com/kubernetes-engine/docs/how-to/gpus."""
_WITHOUT_CUDA = (
    *("python", "debian", "ubuntu", "buildpack-deps", "pypy", "node"),
    *("continuumio/miniconda3", "condaforge/miniforge3", "mambaorg/micromamba"),
    *("astral-sh/uv",),
)
"""Repositories of images that do not set LD_LIBRARY_PATH."""
_WITH_CUDA = (
    *("cuda", "nvcr.io/", "pytorch/pytorch", "vllm/", "sglang", "tritonserver", "nvidia/"),
    *("huggingface/text-", "ollama/", "tensorflow/"),
)
"""Parts of the names of images on NVIDIA's CUDA images, which set LD_LIBRARY_PATH."""


class DriverPlan(NamedTuple):
    """The variables for the GPU driver."""

    variables: Mapping[str, str]
    """The variables that Trussform sets."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return ", ".join(f"{name}={text}" for name, text in self.variables.items()) or "none"


def plan_driver(given: Given) -> DriverPlan:
    """Decides the variables for the GPU driver; those of the config and its image come first."""
    config = given.config
    if config.resources.accelerator is None:
        why = "the config has no `accelerator`, so the server gets no GPU that its image asks for"
        return DriverPlan(NO_GPU, why)
    if given.stage.gpu.dialect != "gke":
        return DriverPlan({}, "the container runtime adds the driver")
    if LIBRARIES in config.environment_variables:
        return DriverPlan({}, f"the config sets {LIBRARIES}")
    image = given.stage.image or (config.base_image.image if config.base_image else "")
    name = _repository(image)
    if any(f"/{name}".endswith(f"/{other}") for other in _WITHOUT_CUDA):
        why = f"GKE mounts the driver there, and `{name}` does not set {LIBRARIES}"
        return DriverPlan({LIBRARIES: GKE_LIBRARIES}, why)
    if any(part in image for part in _WITH_CUDA):
        return DriverPlan({}, f"`{name}` is an image for CUDA, which sets {LIBRARIES}")
    why = f"Trussform does not know if `{name}` sets {LIBRARIES}"
    return DriverPlan({}, why, (_unknown_image(name),))


def _repository(image: str) -> str:
    """Returns the image's name without tag and digest; the text itself if it is not a name."""
    try:
        return parse(image).name.removeprefix("docker.io/").removeprefix("library/")
    except Invalid:
        return image


def _unknown_image(name: str) -> Problem:
    """Returns the warning for an image that may not find the driver on GKE."""
    message = f"GKE mounts the driver at /usr/local/nvidia, and `{name}` may not look there"
    fix = f"if the server finds no GPU, set `{LIBRARIES}: {GKE_LIBRARIES}` in the config"
    return Problem("config", ("environment_variables",), message, fix, "warning")
