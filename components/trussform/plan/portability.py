"""Remarks on a config that runs: differences from Baseten, and fields that contradict each other.

Each is a warning that says what happens and what to write instead.
"""

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
from trussform.problem import FieldPath, Problem, counted
from trussform.source import Source

_COMMAND: FieldPath = ("docker_server", "start_command")
_FLOATING = re.compile(r"(latest|main|master|nightly|edge|dev|stable)([-_.][a-z]+)*|.*-latest")
_RESERVED_PORT = 8080
_RESERVED_PATHS = ("/v1/models/model", "/v1/models/model:predict", "/v1/websocket")
"""The paths that Baseten's proxy in front of a server reserves."""
_PARALLEL = (
    ("--tensor-parallel-size", "--tensor_parallel_size", "--tp-size", "--tp_size", "--tp", "-tp"),
    ("--pipeline-parallel-size", "--pp-size", "--pp_size", "-pp"),
    ("--data-parallel-size", "-dp"),
)
"""The options of vLLM, SGLang, LMDeploy and TensorRT-LLM whose product is a number of GPUs."""
_BATCHING = ("vllm", "sglang", "text-embeddings-router", "infinity_emb", "lmdeploy", "trtllm-serve")
_VISIBLE = ("NVIDIA_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")


class PortabilityPlan(NamedTuple):
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return counted(len(self.problems), "remark")


def plan_portability(given: Given, digest: DigestPlan, command: CommandPlan) -> PortabilityPlan:
    config = given.config
    words = _words(command.argv or (config.docker_server.start_command or "").split())
    options = _options(words)
    # By the name of a program, or of a Python module.
    started = {word.rpartition("/")[2].partition(".")[0] for word in words}
    notes = (
        *_unused(given.folder.source),
        *_grpc(config),
        *_secrets(config),
        *_unnamed_requirements(given),
        *_tag(config, digest),
        *_ports(config, options),
        *_gpus(config, options),
        *_concurrency(config, started),
        *_python(config),
        *_build_secrets(config),
        *_own_app(config),
    )
    return PortabilityPlan(
        "differences from Truss and Baseten, and fields that contradict each other",
        tuple(Problem("config", path, message, fix, "warning") for path, message, fix in notes),
    )


Note = tuple[FieldPath, str, str]


def _words(words: Iterable[str]) -> list[str]:
    """The words of a command, and of what it gives to a shell."""
    parts = (word.replace("\\\n", " ").split() or [word] for word in words)
    return [part.strip("'\"") for split in parts for part in split]


Options = list[tuple[str, str]]
"""The options of a command and what stands behind each: `--port 8000` and `--port=8000`."""


def _options(words: list[str]) -> Options:
    options: Options = []
    for word, after in zip_longest(words, words[1:], fillvalue=""):
        if word.startswith("-"):
            name, equals, value = word.partition("=")
            options.append((name, (value if equals else after).strip("'\";")))
    return options


def _values(options: Options, names: tuple[str, ...]) -> list[str]:
    return [value for name, value in options if name in names and value]


def _unused(source: Source) -> Iterator[Note]:
    for name, support in SUPPORT.items():
        path = tuple(name.split("."))
        if support.kind == "ignored" and source.has(path):
            fix = "remove it, or leave it for Baseten"
            yield path, f"has no effect: {support.text}", fix


def _grpc(config: Config) -> Iterator[Note]:
    if config.runtime.transport.kind == "grpc":
        message = "the probes use gRPC's health service, not the endpoints of docker_server"
        fix = "serve grpc.health.v1.Health; without it the server never becomes ready"
        yield ("runtime", "transport", "kind"), message, fix


def _secrets(config: Config) -> Iterator[Note]:
    for name, value in config.secrets.items():
        if value is not None:
            fix = "write null; the value comes from the stage"
            yield ("secrets", name), "the value here is not used", fix


def _unnamed_requirements(given: Given) -> Iterator[Note]:
    """Yields the change that a `requirements.txt` makes if the config does not name it."""
    text = given.folder.requirements.get(REQUIREMENTS_FILE)
    if not given.folder.unnamed_requirements or not isinstance(text, str):
        return
    lines = packages(text)
    pinned = sum("==" in line for line in lines)
    count = counted(len(lines), "package")
    message = (
        f"{REQUIREMENTS_FILE} beside the config is installed, as in Baseten's guide, and Truss's "
        f"own build passes it over: its {count} ({pinned} pinned) may replace the base image's"
    )
    fix = (
        f"write `requirements_file: {REQUIREMENTS_FILE}` so that both install it; write "
        "`requirements: []`, here or in the server's `config` in the stage, so that neither does"
    )
    yield (), message, fix


def _tag(config: Config, digest: DigestPlan) -> Iterator[Note]:
    if config.base_image is None or digest.digest or "<" in digest.name:
        return
    tag = image_reference.parse(digest.name).tag or "latest"
    if _FLOATING.fullmatch(tag):
        message = f"the tag `{tag}` moves, so the same config may run another server tomorrow"
        yield ("base_image", "image"), message, "write a version or a digest"


def _ports(config: Config, options: Options) -> Iterator[Note]:
    server = config.docker_server
    if server.server_port == _RESERVED_PORT:
        message = f"Baseten reserves the port {_RESERVED_PORT}; here it works"
        yield (
            ("docker_server", "server_port"),
            message,
            "use another port if the config also runs on Baseten",
        )
    for name in ("predict_endpoint", "readiness_endpoint", "liveness_endpoint"):
        if (path := getattr(server, name)) in _RESERVED_PATHS:
            message = f"Baseten reserves the path {path}; here it works"
            yield (
                ("docker_server", name),
                message,
                "use another path if the config also runs on Baseten",
            )
    ports = [port for port in _values(options, ("--port",)) if port.isdecimal()]
    if len(ports) == 1 and int(ports[0]) != server.server_port:
        message = (
            f"the command sets port {ports[0]}, but probes and routes use {server.server_port}"
        )
        yield ("docker_server", "server_port"), message, "write the same port in both"


def _gpus(config: Config, options: Options) -> Iterator[Note]:
    accelerator = config.resources.accelerator
    count = accelerator.count if accelerator else 0
    sizes = [_values(options, names) for names in _PARALLEL]
    needed = 1
    for size in sizes:
        if len(size) > 1 or not all(value.isdecimal() for value in size):
            return
        needed *= int(size[0]) if size else 1
    if any(sizes) and needed != count:
        message = f"the command needs {counted(needed, 'GPU')}, but `accelerator` gives {count}"
        yield ("resources", "accelerator"), message, "write the same number in both"
    for name in _VISIBLE:
        if name in config.environment_variables and accelerator:
            message = "the cluster decides which GPUs a pod sees, and this variable may hide them"
            yield ("environment_variables", name), message, "remove it"


def _concurrency(config: Config, started: set[str]) -> Iterator[Note]:
    if config.runtime.predict_concurrency > 1:
        return
    for program in _BATCHING:
        if program in started:
            message = f"Baseten sends {program} one request at a time; Trussform sets no limit"
            fix = "write the number of requests that the server takes at once; autoscalers read it"
            yield ("runtime", "predict_concurrency"), message, fix


def _python(config: Config) -> Iterator[Note]:
    if config.base_image is not None and "python_version" in config.model_fields_set:
        message = "has no effect with a base image, which has its own Python"
        yield ("python_version",), message, "remove it, or leave it for Baseten"


def _build_secrets(config: Config) -> Iterator[Note]:
    if config.build.secret_to_path_mapping and not config.build_commands:
        message = "only build commands read these secrets, and the config has none"
        yield ("build", "secret_to_path_mapping"), message, "add build_commands, or remove it"


def _own_app(config: Config) -> Iterator[Note]:
    server = config.docker_server
    if server.run_as_user_id is not None and server.start_command is None:
        message = "no_build leaves the image's /app as it is, and this user may not write there"
        fix = "have the image give its folders to this user"
        yield ("docker_server", "run_as_user_id"), message, fix
