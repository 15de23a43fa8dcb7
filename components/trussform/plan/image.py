"""The image that runs: the base as it is, or one that is built on it."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from trussform.config import Config
from trussform.config.base_image import has_placeholder
from trussform.config.image_folders import Folder
from trussform.plan.digest import DigestPlan, plan_digest
from trussform.plan.given import Given
from trussform.plan.known_secrets import missing
from trussform.problem import FieldPath, Problem

_TRUSS_BASE_VERSION = "v0.13.0"
"""The version that Truss of today takes (`TRUSS_BASE_IMAGE_VERSION_TAG`)."""
_BASE: FieldPath = ("base_image", "image")
_DATA = "/app/data"
_MOUNTABLE = re.compile(r"[-_./a-zA-Z0-9]+")
_ARM = ("GB300",)
"""Accelerators whose nodes have ARM processors."""


class Build(NamedTuple):
    requirements: Mapping[str, str | Path]
    """Files by name, text or a path: `requirements.txt`, or `pyproject.toml` and its lock."""
    system_packages: tuple[str, ...]
    commands: tuple[str, ...]
    arguments: Mapping[str, str]
    """Variables of the commands and of what installs requirements."""
    downloads: tuple[tuple[str, str], ...]
    """URLs, and where each goes in the image."""
    bare: bool
    """True if the build only adds files: it neither reads nor changes the base."""
    folders: tuple[Folder, ...]
    python: str
    user: int | None
    registry: str | None
    """None: the platform gives it, or nothing is pushed."""
    platform: str
    tools: tuple[str, ...]
    """Those of `curl` and `uv` that the build needs; Truss's build has both always."""
    secrets: Mapping[str, str]
    """Paths by name: what the commands can read while they run, and no layer keeps."""
    buildkit: bool
    """True if BuildKit builds, which can mount secrets and caches."""


class ImagePlan(NamedTuple):
    base: str
    """The image that the config names, or the stage in its place."""
    offline: bool
    """True if nothing is built or pushed: the image is only named."""
    build: Build | None
    given: bool
    """True if the stage names the finished image."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return f"built on {self.base}" if self.build else self.base


def plan_image(given: Given) -> ImagePlan:
    stage = given.stage
    offline = stage.render_to is not None
    problems = [*_about_downloads(given.config), *_about_no_build(given)]
    if stage.image:
        why = "the stage names the finished image"
        return ImagePlan(stage.image, offline, None, True, why, tuple(problems))
    build, why = _build(given)
    if build is not None:
        problems += [problem for folder in build.folders for problem in folder.problems]
        problems += [*_buildable(given), *_about_secrets(build, given)]
    return ImagePlan(_base(given.config), offline, build, False, why, tuple(problems))


def plan_base_digest(given: Given, image: ImagePlan) -> DigestPlan:
    """Decides the digest of the base image, or of the finished one that the stage names."""
    if image.given:
        return plan_digest(given, image.base, "stage", ("servers", given.name, "image"))
    if has_placeholder(image.base):
        message = f"`{image.base}` contains a placeholder"
        fix = "write the image that you have pushed, here or in the stage's override"
        problem = Problem("config", _BASE, message, fix, "blocks-deploy")
        return DigestPlan(image.base, None, False, "a placeholder has no digest", (problem,))
    return plan_digest(given, image.base, "config", _BASE)


def _base(config: Config) -> str:
    return config.base_image.image if config.base_image else _truss_base(config)


def _about_downloads(config: Config) -> list[Problem]:
    problems: list[Problem] = []
    for i, file in enumerate(config.external_data or ()):
        keys: FieldPath = ("external_data", i)
        path = PurePosixPath(file.local_data_path)
        inside = path.parts and ".." not in path.parts and not path.is_absolute()
        if not inside or not file.local_data_path.isprintable():
            message = "local_data_path leads out of the data folder"
            problems.append(Problem("config", keys, message, "write it as in `folder/file`"))
        if not file.url.startswith(("https://", "http://")):
            message = "the URL is not an HTTP or HTTPS URL"
            problems.append(Problem("config", keys, message, "begin it with https://"))
        if config.docker_server.no_build:
            message = "no_build downloads no files"
            fix = "remove it, or remove no_build"
            problems.append(Problem("config", keys, message, fix, "warning"))
    return problems


def _about_no_build(given: Given) -> Iterator[Problem]:
    """Yields a warning for each field and folder that a no_build server makes no use of."""
    config = given.config
    if not config.docker_server.no_build:
        return
    for name in ("requirements", "requirements_file", "system_packages", "build_commands"):
        if getattr(config, name):
            fix = "remove it, or remove no_build"
            yield Problem("config", (name,), "no_build installs nothing", fix, "warning")
    for folder in given.folder.folders:
        if folder.field in ("model_module_dir", "bundled_packages_dir"):
            message = f"no_build copies only the data folder, not {folder.name}"
            fix = "remove no_build, or the folder"
            yield Problem("config", (folder.field,), message, fix, "warning")


def _build(given: Given) -> tuple[Build | None, str]:
    config, stage = given.config, given.stage
    bare = bool(config.docker_server.no_build)
    folders = given.folder.folders
    if bare:
        folders = tuple(folder for folder in folders if folder.field == "data_dir")
        if not folders:
            return None, "no_build: the base image runs as it is"
    requirements: Mapping[str, str | Path] = {} if bare else given.folder.requirements
    downloads = () if bare else config.external_data or ()
    reasons = [
        reason
        for reason, wanted in (
            ("requirements", requirements),
            ("system_packages", config.system_packages),
            ("build_commands", config.build_commands),
            ("external_data", downloads),
            ("folders", folders),
        )
        if wanted
    ]
    if bare:
        reasons = ["a data folder"]
    if not reasons:
        return None, "nothing changes a file of the base image, so it runs as it is"
    accelerator = config.resources.accelerator
    return Build(
        requirements=requirements,
        system_packages=() if bare else tuple(config.system_packages),
        commands=() if bare else tuple(config.build_commands),
        arguments=dict(config.build.arguments),
        downloads=tuple((file.url, f"{_DATA}/{file.local_data_path}") for file in downloads),
        bare=bare,
        folders=folders,
        python=(config.base_image and config.base_image.python_executable_path) or "python3",
        user=config.docker_server.run_as_user_id,
        registry=stage.registry,
        platform="linux/arm64" if accelerator and accelerator.name in _ARM else "linux/amd64",
        tools=() if bare else _tools(config, requirements),
        secrets=dict(config.build.secret_to_path_mapping) if config.build_commands else {},
        buildkit=stage.builder == "buildkit",
    ), f"the config has {' and '.join(reasons)}"


def _tools(config: Config, requirements: Mapping[str, str | Path]) -> tuple[str, ...]:
    needed = {"curl": bool(config.external_data), "uv": bool(requirements)}
    commands = " ".join(config.build_commands)
    return tuple(
        name for name, need in needed.items() if need or re.search(rf"\b{name}\b", commands)
    )


def _about_secrets(build: Build, given: Given) -> Iterator[Problem]:
    """Yields the problems that keep the build commands from reading their secrets."""
    stage = given.stage
    field: FieldPath = ("build", "secret_to_path_mapping")
    for name, path in build.secrets.items():
        if not _MOUNTABLE.fullmatch(name) or not _MOUNTABLE.fullmatch(path) or path[0] != "/":
            message = f"`{name}` and `{path}` cannot be written in a Dockerfile"
            fix = "write an absolute path, and use only letters, digits and `-_./` in both"
            yield Problem("config", (*field, name), message, fix)
        elif stage.render_to is None:
            yield from missing(given.secrets, name, (*field, name))
    if build.secrets and not build.buildkit and stage.builder != "none":
        message = "only BuildKit gives secrets to a build, but the stage's builder is `docker`"
        fix = "add `builder: buildkit` to the stage"
        yield Problem("config", field, message, fix, "blocks-deploy")


def _truss_base(config: Config) -> str:
    """The image that Truss builds on where a config names none."""
    python = config.python_version.replace("py3", "3.")
    gpu = "-gpu" if config.resources.accelerator else ""
    return f"baseten/truss-server-base:{python}{gpu}-{_TRUSS_BASE_VERSION}"


def _buildable(given: Given) -> Iterator[Problem]:
    stage, name = given.stage, given.name
    if stage.render_to is not None:
        return
    if stage.builder == "none":
        path: FieldPath = ("servers", name, "image") if stage.listed else ("builder",)
        message = f"the server `{name}` needs a build, but the stage's builder is `none`"
        yield Problem(
            "stage", path, message, "name the finished image: `image: repository@sha256:…`"
        )
    elif stage.registry is None and "registry" not in given.platform:
        message = f"the server `{name}` needs a build, but the stage has no `registry`"
        fix = "add `registry: registry.example.com/models`"
        yield Problem("stage", ("registry",), message, fix)
