"""Warnings about a valid config: differences from Baseten, and fields that contradict others."""

import re
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import NamedTuple

from trussform import image_reference
from trussform.config import Config
from trussform.config.requirements import REQUIREMENTS_FILE, packages
from trussform.config.support import SUPPORT
from trussform.plan.command import CommandPlan
from trussform.plan.digest import DigestPlan
from trussform.plan.given import Given
from trussform.plan.programs import Options
from trussform.problem import FieldPath, Problem, counted
from trussform.source import Source

_COMMAND: FieldPath = ("docker_server", "start_command")
_FLOATING = re.compile(r"(latest|main|master|nightly|edge|dev|stable)([-_.][a-z]+)*|.*-latest")
_RESERVED_PORT = 8080
_RESERVED_PATHS = ("/v1/models/model", "/v1/models/model:predict", "/v1/websocket")
"""Paths that Baseten's proxy uses itself."""
_PARALLEL = (
    ("--tensor-parallel-size", "--tensor_parallel_size", "--tp-size", "--tp_size", "--tp", "-tp"),
    ("--pipeline-parallel-size", "--pp-size", "--pp_size", "-pp"),
    ("--data-parallel-size", "-dp"),
)
"""The options of vLLM, SGLang, LMDeploy and TensorRT-LLM whose product is the number of GPUs."""
_BATCHING = ("vllm", "sglang", "text-embeddings-router", "infinity_emb", "lmdeploy", "trtllm-serve")
_VISIBLE = ("NVIDIA_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")


class PortabilityPlan(NamedTuple):
    """The warnings; this decision changes no object."""

    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return counted(len(self.problems), "warning")


def plan_portability(given: Given, digest: DigestPlan, command: CommandPlan) -> PortabilityPlan:
    """Collects the warnings."""
    config = given.config
    words = _words(command.argv or (config.docker_server.start_command or "").split())
    options = _options(words)
    programs = {word.rpartition("/")[2].partition(".")[0] for word in words}
    notes = (
        *_without_effect(given.folder.source),
        *_grpc(config),
        *_secrets(config),
        *_unnamed_requirements(given),
        *_tag(config, digest),
        *_ports(config, options),
        *_gpus(config, options),
        *_concurrency(config, programs),
        *_python(config),
        *_build_secrets(config),
        *_own_app(config),
    )
    return PortabilityPlan(
        "the config is compared with Truss and Baseten; `trussform check` shows each warning",
        tuple(Problem("config", path, message, fix, "warning") for path, message, fix in notes),
    )


Note = tuple[FieldPath, str, str]
"""The field, the message and the fix of a warning."""


def _words(words: Iterable[str]) -> list[str]:
    """Returns the words of a command and of the texts that it gives to a shell."""
    parts = (word.replace("\\\n", " ").split() or [word] for word in words)
    return [part.strip("'\"") for split in parts for part in split]


def _options(words: list[str]) -> Options:
    """Returns the options among the words, whichever program they belong to."""
    options: Options = []
    for word, after in zip_longest(words, words[1:], fillvalue=""):
        if word.startswith("-"):
            name, equals, value = word.partition("=")
            options.append((name, (value if equals else after).strip("'\";")))
    return options


def _values(options: Options, names: tuple[str, ...]) -> list[str]:
    """Returns the values of the named options."""
    return [value for name, value in options if name in names and value]


def _without_effect(source: Source) -> Iterator[Note]:
    """Yields a warning for each field that has no meaning for a custom server."""
    for name, support in SUPPORT.items():
        path = tuple(name.split("."))
        if support.kind == "ignored" and source.has(path):
            fix = "no action needed; remove it if you like"
            yield path, f"the field has no effect: {support.text}", fix


def _grpc(config: Config) -> Iterator[Note]:
    """Yields a warning that gRPC servers need a health service."""
    if config.runtime.transport.kind == "grpc":
        message = "probes use gRPC's health service instead of the endpoints of `docker_server`"
        fix = "serve `grpc.health.v1.Health`; without it the server never becomes ready"
        yield ("runtime", "transport", "kind"), message, fix


def _secrets(config: Config) -> Iterator[Note]:
    """Yields a warning for each secret with a value in the config."""
    for name, value in config.secrets.items():
        if value is not None:
            fix = "write null; the value comes from the stack"
            yield ("secrets", name), "the value in the config is not used", fix


def _unnamed_requirements(given: Given) -> Iterator[Note]:
    """Yields a warning for a `requirements.txt` that the config does not name."""
    text = given.folder.requirements.get(REQUIREMENTS_FILE)
    if not given.folder.unnamed_requirements or not isinstance(text, str):
        return
    lines = packages(text)
    pinned = sum("==" in line for line in lines)
    count = counted(len(lines), "package")
    message = (
        f"Trussform installs {REQUIREMENTS_FILE} beside the config, and Truss's build does not; "
        f"its {count} ({pinned} pinned) may replace those of the base image"
    )
    fix = (
        f"write `requirements_file: {REQUIREMENTS_FILE}` so that both install it; write "
        "`requirements: []`, here or in the server's `config` in the stage, so that neither does"
    )
    yield (), message, fix


def _tag(config: Config, digest: DigestPlan) -> Iterator[Note]:
    """Yields a warning for a tag that moves, such as `latest`."""
    if config.base_image is None or digest.digest or "<" in digest.name:
        return
    tag = image_reference.parse(digest.name).tag or "latest"
    if _FLOATING.fullmatch(tag):
        message = f"the tag `{tag}` can point to another image tomorrow"
        yield ("base_image", "image"), message, "pin a version or a digest"


def _ports(config: Config, options: Options) -> Iterator[Note]:
    """Yields warnings about ports and paths."""
    server = config.docker_server
    if server.server_port == _RESERVED_PORT:
        message = f"the port {_RESERVED_PORT} is reserved on Baseten; it works with Trussform"
        fix = "use another port if the config is also deployed to Baseten"
        yield ("docker_server", "server_port"), message, fix
    for name in ("predict_endpoint", "readiness_endpoint", "liveness_endpoint"):
        if (path := getattr(server, name)) in _RESERVED_PATHS:
            message = f"the path {path} is reserved on Baseten; it works with Trussform"
            fix = "use another path if the config is also deployed to Baseten"
            yield ("docker_server", name), message, fix
    ports = [port for port in _values(options, ("--port",)) if port.isdecimal()]
    if len(ports) == 1 and int(ports[0]) != server.server_port:
        message = (
            f"the command sets port {ports[0]}, and probes and routes use {server.server_port}"
        )
        yield (
            ("docker_server", "server_port"),
            message,
            f"write {ports[0]} here, or change the command",
        )


def _gpus(config: Config, options: Options) -> Iterator[Note]:
    """Yields warnings if the command and `accelerator` differ, or if GPUs are hidden."""
    accelerator = config.resources.accelerator
    count = accelerator.count if accelerator else 0
    sizes = [_values(options, names) for names in _PARALLEL]
    needed = 1
    for size in sizes:
        if len(size) > 1 or not all(value.isdecimal() for value in size):
            return
        needed *= int(size[0]) if size else 1
    if any(sizes) and needed != count:
        message = f"the command needs {counted(needed, 'GPU')}, and `accelerator` requests {count}"
        yield ("resources", "accelerator"), message, "use the same number in both"
    for name in _VISIBLE:
        if name in config.environment_variables and accelerator:
            message = f"Kubernetes assigns the GPUs of the pod, and {name} may hide them"
            yield ("environment_variables", name), message, "remove it"


def _concurrency(config: Config, programs: set[str]) -> Iterator[Note]:
    """Yields a warning for a batching server with a concurrency of 1."""
    if config.runtime.predict_concurrency > 1:
        return
    for program in _BATCHING:
        if program in programs:
            message = (
                f"`predict_concurrency` is 1, so Baseten sends {program} one request at a time; "
                "Trussform does not limit requests"
            )
            fix = "set it to the number of requests that the server handles at once"
            yield ("runtime", "predict_concurrency"), message, fix


def _python(config: Config) -> Iterator[Note]:
    """Yields a warning for `python_version` beside a base image."""
    if config.base_image is not None and "python_version" in config.model_fields_set:
        message = "`python_version` has no effect with `base_image`, which includes its own Python"
        yield ("python_version",), message, "no action needed; remove it if you like"


def _build_secrets(config: Config) -> Iterator[Note]:
    """Yields a warning for build secrets without build commands."""
    if config.build.secret_to_path_mapping and not config.build_commands:
        message = "only `build_commands` can read these secrets, and the config has none"
        yield ("build", "secret_to_path_mapping"), message, "add `build_commands`, or remove this"


def _own_app(config: Config) -> Iterator[Note]:
    """Yields a warning for a user that may not own the image's folders."""
    server = config.docker_server
    if server.run_as_user_id is not None and server.start_command is None:
        message = "with `no_build`, this user may not be able to write to /app of the image"
        fix = "build an image whose folders this user owns"
        yield ("docker_server", "run_as_user_id"), message, fix
