"""Which image runs: the base as it is, or one that is built on it."""

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from trussform.config import Config, ConfigFolder
from trussform.config.base_image import has_placeholder
from trussform.config.folder import Folder
from trussform.plan.digest import Pinned, pin
from trussform.plan.secrets import missing
from trussform.problem import FieldPath, Problem
from trussform.stage import Stage

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
    """Whether the files are all that is added: nothing of the base is looked at or changed."""
    folders: tuple[Folder, ...]
    python: str
    user: int | None
    registry: str | None
    """None: `placement` gives it, or nothing is pushed."""
    platform: str
    tools: tuple[str, ...]
    """Those of `curl` and `uv` that the build needs; Truss's build has both always."""
    secrets: Mapping[str, str]
    """Paths by name: what the commands can read while they run, and no layer keeps."""
    buildkit: bool
    """Whether BuildKit builds, which can mount secrets and caches."""


class Image(NamedTuple):
    base: Pinned
    """What the config names, or the stage in its place."""
    offline: bool
    """Whether the image is only named: nothing is built or pushed."""
    build: Build | None
    given: bool
    """Whether the stage names the finished image."""
    why: str

    def __str__(self) -> str:
        return f"built on {self.base.name}" if self.build else self.base.name


def image(
    truss: ConfigFolder,
    stage: Stage,
    name: str,
    available: Collection[str] | None,
    placed: Collection[str],
) -> tuple[Image, list[Problem]]:
    """`available`: the names that the stage has values for; None where that is unknown."""
    config = truss.config
    written = config.base_image.image if config.base_image else _truss_base(config)
    server = stage.server(name)
    given = server.image
    build, why = _build(truss, stage)
    about_downloads = _downloads(config)
    if given:
        build, why = None, "the stage names the finished image"
        base, problems = pin(given, stage, "stage", ("servers", name, "image"))
    elif has_placeholder(written):
        base, problems = _unfilled(written)
    else:
        base, problems = pin(written, stage, "config", _BASE)
    if build is not None:
        problems += _buildable(stage, name, placed)
        problems += _secrets(build, stage, available)
    plan = Image(base, stage.render_to is not None, build, given is not None, why)
    return plan, [*problems, *about_downloads]


def _downloads(config: Config) -> list[Problem]:
    problems: list[Problem] = []
    for i, file in enumerate(config.external_data or ()):
        keys: FieldPath = ("external_data", i)
        path = PurePosixPath(file.local_data_path)
        inside = path.parts and ".." not in path.parts and not path.is_absolute()
        if not inside or not file.local_data_path.isprintable():
            message = "local_data_path leaves the data folder"
            problems.append(Problem("config", keys, message, "write it as in `folder/file`"))
        if not file.url.startswith(("https://", "http://")):
            message = "the url is none of the web"
            problems.append(Problem("config", keys, message, "begin it with https://"))
        if config.docker_server.no_build:
            message = "no_build downloads nothing"
            fix = "remove it, or remove no_build"
            problems.append(Problem("config", keys, message, fix, "warning"))
    return problems


def _build(truss: ConfigFolder, stage: Stage) -> tuple[Build | None, str]:
    config = truss.config
    bare = bool(config.docker_server.no_build)
    if bare and not truss.folders:
        return None, "no_build: the base image runs as it is"
    downloads = () if bare else config.external_data or ()
    reasons = [
        reason
        for reason, wanted in (
            ("requirements", truss.requirements),
            ("system_packages", config.system_packages),
            ("build_commands", config.build_commands),
            ("external_data", downloads),
            ("folders", truss.folders),
        )
        if wanted
    ]
    if bare:
        reasons = ["a data folder"]
    if not reasons:
        return None, "nothing changes a file of the base image, so it runs as it is"
    accelerator = config.resources.accelerator
    return Build(
        requirements={} if bare else truss.requirements,
        system_packages=() if bare else tuple(config.system_packages),
        commands=() if bare else tuple(config.build_commands),
        arguments=dict(config.build.arguments),
        downloads=tuple((file.url, f"{_DATA}/{file.local_data_path}") for file in downloads),
        bare=bare,
        folders=truss.folders,
        python=(config.base_image and config.base_image.python_executable_path) or "python3",
        user=config.docker_server.run_as_user_id,
        registry=stage.registry,
        platform="linux/arm64" if accelerator and accelerator.name in _ARM else "linux/amd64",
        tools=() if bare else _tools(truss),
        secrets=dict(config.build.secret_to_path_mapping) if config.build_commands else {},
        buildkit=stage.builder == "buildkit",
    ), f"the config has {' and '.join(reasons)}"


def _tools(truss: ConfigFolder) -> tuple[str, ...]:
    config = truss.config
    needed = {"curl": bool(config.external_data), "uv": bool(truss.requirements)}
    commands = " ".join(config.build_commands)
    return tuple(
        name for name, need in needed.items() if need or re.search(rf"\b{name}\b", commands)
    )


def _secrets(build: Build, stage: Stage, available: Collection[str] | None) -> Iterator[Problem]:
    """What keeps the build commands from reading their secrets."""
    field: FieldPath = ("build", "secret_to_path_mapping")
    for name, path in build.secrets.items():
        if not _MOUNTABLE.fullmatch(name) or not _MOUNTABLE.fullmatch(path) or path[0] != "/":
            message = f"a Dockerfile would not read `{name}` and `{path}` as they are"
            fix = "write an absolute path, and in both letters, digits and `-_./` alone"
            yield Problem("config", (*field, name), message, fix)
        elif stage.render_to is None and available is not None and name not in available:
            yield missing(name, (*field, name))
    if build.secrets and not build.buildkit and stage.builder != "none":
        message = "only BuildKit gives secrets to a build, and the stage's builder is docker"
        fix = "add `builder: buildkit` to the stage"
        yield Problem("config", field, message, fix, "blocks-deploy")


def _truss_base(config: Config) -> str:
    """The image that Truss builds on where a config names none."""
    python = config.python_version.replace("py3", "3.")
    gpu = "-gpu" if config.resources.accelerator else ""
    return f"baseten/truss-server-base:{python}{gpu}-{_TRUSS_BASE_VERSION}"


def _unfilled(base: str) -> tuple[Pinned, list[Problem]]:
    message = f"`{base}` has a placeholder in it"
    fix = "write the image that you have pushed, here or in the stage's override"
    problem = Problem("config", _BASE, message, fix, "blocks-deploy")
    return Pinned(base, None, False, "a placeholder has no digest"), [problem]


def _buildable(stage: Stage, name: str, placed: Collection[str]) -> list[Problem]:
    if stage.render_to is not None:
        return []
    if stage.builder == "none":
        keys: FieldPath = ("servers", name, "image") if name in stage.servers else ("builder",)
        return [
            Problem(
                "stage",
                keys,
                f"the server `{name}` needs a build, and the stage's builder is none",
                "name the finished image: `image: repository@sha256:…`",
            )
        ]
    if stage.registry is None and "registry" not in placed:
        return [
            Problem(
                "stage",
                ("registry",),
                f"the server `{name}` needs a build, and the stage has no registry for it",
                "add `registry: registry.example.com/models`",
            )
        ]
    return []
