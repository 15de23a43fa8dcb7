"""The image that runs: the base image itself, or an image built on it."""

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
"""The version that Truss uses (`TRUSS_BASE_IMAGE_VERSION_TAG`)."""
_BASE: FieldPath = ("base_image", "image")
_DATA = "/app/data"
_MOUNTABLE = re.compile(r"[-_./a-zA-Z0-9]+")
_ARM = ("GB300",)
"""Accelerators whose nodes have ARM processors."""


class Build(NamedTuple):
    """The inputs of the image build."""

    requirements: Mapping[str, str | Path]
    """Files by name, as text or as a path: `requirements.txt`, or `pyproject.toml` and its lock."""
    system_packages: tuple[str, ...]
    """Packages that apt installs."""
    commands: tuple[str, ...]
    """`build_commands` of the config."""
    arguments: Mapping[str, str]
    """Environment variables of the commands and of the installation of requirements."""
    downloads: tuple[tuple[str, str], ...]
    """Each URL with the path of its file in the image."""
    bare: bool
    """True if the build only adds files and runs nothing in the base image."""
    folders: tuple[Folder, ...]
    """The folders beside the config that the image gets."""
    python: str
    """The Python interpreter of the base image."""
    user: int | None
    """The UID that owns the added files; None: the image's own user."""
    registry: str | None
    """The registry to push to; None: a platform stack gives it, or nothing is pushed."""
    platform: str
    """The platform to build for: `linux/amd64`."""
    tools: tuple[str, ...]
    """The tools out of `curl` and `uv` that the build needs; Truss always installs both."""
    secrets: Mapping[str, str]
    """The path of each secret that the commands can read; no layer keeps them."""
    buildkit: bool
    """True if BuildKit builds; it can mount secrets and caches."""


class ImagePlan(NamedTuple):
    """The base image and the build on it, if there is one."""

    base: str
    """The image that the config names, or that the stage names instead."""
    offline: bool
    """True if the stage only renders YAML, so nothing is built or pushed."""
    build: Build | None
    """None: the base image itself runs."""
    given: bool
    """True if the stage names the finished image."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return f"built on {self.base}" if self.build else self.base


def plan_image(given: Given) -> ImagePlan:
    """Decides the image, and whether a build is needed."""
    stage = given.stage
    offline = stage.render_to is not None
    problems = [*_download_problems(given.config), *_no_build_problems(given)]
    if stage.image:
        why = "`image` of the stage names the finished image"
        return ImagePlan(stage.image, offline, None, True, why, tuple(problems))
    build, why = _build(given)
    if build is not None:
        problems += [problem for folder in build.folders for problem in folder.problems]
        problems += [*_builder_problems(given), *_secret_problems(build, given)]
    return ImagePlan(_base(given.config), offline, build, False, why, tuple(problems))


def plan_base_digest(given: Given, image: ImagePlan) -> DigestPlan:
    """Decides the digest of the base image, or of the finished image that the stage names."""
    if image.given:
        return plan_digest(given, image.base, "stage", ("servers", given.name, "image"))
    if has_placeholder(image.base):
        message = f"`{image.base}` contains a placeholder"
        fix = "write the image that you pushed, here or in the server's `config` in the stage"
        problem = Problem("config", _BASE, message, fix, "blocks-deploy")
        return DigestPlan(
            image.base, None, False, "the image's name contains a placeholder", (problem,)
        )
    return plan_digest(given, image.base, "config", _BASE)


def _base(config: Config) -> str:
    """Returns the image of `base_image`, or Truss's default."""
    return config.base_image.image if config.base_image else _truss_base(config)


def _download_problems(config: Config) -> list[Problem]:
    """Returns the problems of `external_data`."""
    problems: list[Problem] = []
    for i, file in enumerate(config.external_data or ()):
        field: FieldPath = ("external_data", i)
        path = PurePosixPath(file.local_data_path)
        inside = path.parts and ".." not in path.parts and not path.is_absolute()
        if not inside or not file.local_data_path.isprintable():
            message = "`local_data_path` is outside the data folder"
            fix = "write a relative path, as in `folder/file`"
            problems.append(Problem("config", field, message, fix))
        if not file.url.startswith(("https://", "http://")):
            message = "`url` has no scheme that can be downloaded"
            fix = "start it with https:// or http://"
            problems.append(Problem("config", field, message, fix))
        if config.docker_server.no_build:
            message = "`no_build` downloads nothing"
            fix = "remove this entry, or remove `no_build`"
            problems.append(Problem("config", field, message, fix, "warning"))
    return problems


def _no_build_problems(given: Given) -> Iterator[Problem]:
    """Yields a warning for each field and folder that has no effect with `no_build`."""
    config = given.config
    if not config.docker_server.no_build:
        return
    for name in ("requirements", "requirements_file", "system_packages", "build_commands"):
        if getattr(config, name):
            message = f"`{name}` has no effect, because `no_build` installs nothing"
            fix = "remove the field, or remove `no_build`"
            yield Problem("config", (name,), message, fix, "warning")
    for folder in given.folder.folders:
        if folder.field in ("model_module_dir", "bundled_packages_dir"):
            message = f"`no_build` adds only the data folder to the image, not {folder.name}"
            fix = "remove `no_build`, or remove the folder"
            yield Problem("config", (folder.field,), message, fix, "warning")


def _build(given: Given) -> tuple[Build | None, str]:
    """Returns the build, None if none is needed, and the reason."""
    config, stage = given.config, given.stage
    bare = bool(config.docker_server.no_build)
    folders = given.folder.folders
    if bare:
        folders = tuple(folder for folder in folders if folder.field == "data_dir")
        if not folders:
            return None, "`no_build` is set, so the base image runs without a build"
    requirements: Mapping[str, str | Path] = {} if bare else given.folder.requirements
    downloads = () if bare else config.external_data or ()
    reasons = [
        reason
        for reason, wanted in (
            ("requirements", requirements),
            ("system_packages", config.system_packages),
            ("build_commands", config.build_commands),
            ("external_data", downloads),
            ("folders beside it", folders),
        )
        if wanted
    ]
    if bare:
        reasons = ["a data folder beside it"]
    if not reasons:
        return None, "the config adds no files to the base image, so no build is needed"
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
    ), f"the config has {', '.join(reasons)}"


def _tools(config: Config, requirements: Mapping[str, str | Path]) -> tuple[str, ...]:
    """Returns the tools that the build needs besides those of the base image."""
    needed = {"curl": bool(config.external_data), "uv": bool(requirements)}
    commands = " ".join(config.build_commands)
    return tuple(
        name for name, need in needed.items() if need or re.search(rf"\b{name}\b", commands)
    )


def _secret_problems(build: Build, given: Given) -> Iterator[Problem]:
    """Yields the problems that keep the build commands from reading their secrets."""
    stage = given.stage
    field: FieldPath = ("build", "secret_to_path_mapping")
    for name, path in build.secrets.items():
        if not _MOUNTABLE.fullmatch(name) or not _MOUNTABLE.fullmatch(path) or path[0] != "/":
            message = f"a Dockerfile cannot mount the secret `{name}` at `{path}`"
            fix = "use an absolute path, and only letters, digits and `-_./` in both"
            yield Problem("config", (*field, name), message, fix)
        elif stage.render_to is None:
            yield from missing(given.secrets, name, (*field, name))
    if build.secrets and not build.buildkit and stage.builder != "none":
        message = "a build with secrets needs BuildKit, and the stage has `builder: docker`"
        fix = "add `builder: buildkit` to the stage"
        yield Problem("config", field, message, fix, "blocks-deploy")


def _truss_base(config: Config) -> str:
    """Returns the image that Truss builds on if the config has no `base_image`."""
    python = config.python_version.replace("py3", "3.")
    gpu = "-gpu" if config.resources.accelerator else ""
    return f"baseten/truss-server-base:{python}{gpu}-{_TRUSS_BASE_VERSION}"


def _builder_problems(given: Given) -> Iterator[Problem]:
    """Yields the problem that the stage has no builder, or no registry to push to."""
    stage, name = given.stage, given.name
    if stage.render_to is not None:
        return
    if stage.builder == "none":
        path: FieldPath = ("servers", name, "image") if stage.listed else ("builder",)
        message = f"the server `{name}` needs a build, and the stage has `builder: none`"
        fix = "name the finished image: `image: repository@sha256:…`"
        yield Problem("stage", path, message, fix)
    elif stage.registry is None and "registry" not in given.platform:
        message = f"the server `{name}` needs a build, and the stage has no `registry` to push to"
        fix = "add `registry: registry.example.com/models`"
        yield Problem("stage", ("registry",), message, fix)
