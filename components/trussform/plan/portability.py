"""What runs and yet bites: where Baseten differs, or where the config is at odds with itself.

Warnings alone; each names what happens and what to write instead.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from itertools import zip_longest

from trussform import image_reference
from trussform.config import Config
from trussform.plan.command import Command
from trussform.plan.image import Image
from trussform.problem import FieldPath, Problem, counted

_COMMAND: FieldPath = ("docker_server", "start_command")
_FLOATING = re.compile(r"(latest|main|master|nightly|edge|dev|stable)([-_.][a-z]+)*|.*-latest")
_RESERVED_PORT = 8080
_RESERVED_PATHS = ("/v1/models/model", "/v1/models/model:predict", "/v1/websocket")
"""What the proxy in front of a server on Baseten keeps for itself."""
_PARALLEL = (
    ("--tensor-parallel-size", "--tensor_parallel_size", "--tp-size", "--tp_size", "--tp", "-tp"),
    ("--pipeline-parallel-size", "--pp-size", "--pp_size", "-pp"),
    ("--data-parallel-size", "-dp"),
)
"""The options of vLLM, SGLang, LMDeploy and TensorRT-LLM whose product is a number of GPUs."""
_BATCHING = ("vllm", "sglang", "text-embeddings-router", "infinity_emb", "lmdeploy", "trtllm-serve")
_VISIBLE = ("NVIDIA_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")


def portability(
    config: Config, written: Collection[str], image: Image, command: Command
) -> list[Problem]:
    """`written`: the names of the fields that stand in the file itself."""
    words = _words(command.argv or (config.docker_server.start_command or "").split())
    options = _options(words)
    # By the name of a program, or of a Python module.
    started = {word.rpartition("/")[2].partition(".")[0] for word in words}
    return [
        Problem("config", keys, message, fix, "warning")
        for keys, message, fix in (
            *_tag(config, image),
            *_ports(config, options),
            *_gpus(config, options),
            *_concurrency(config, started),
            *_python(config, written),
            *_build_secrets(config),
            *_own_app(config),
        )
    ]


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


def _tag(config: Config, image: Image) -> Iterator[Note]:
    if config.base_image is None or image.base.digest or "<" in image.base.name:
        return
    tag = image_reference.parse(image.base.name).tag or "latest"
    if _FLOATING.fullmatch(tag):
        message = f"the tag `{tag}` is made to move: the same file is another server tomorrow"
        yield ("base_image", "image"), message, "name a version, or a digest"


def _ports(config: Config, options: Options) -> Iterator[Note]:
    server = config.docker_server
    if server.server_port == _RESERVED_PORT:
        message = f"Baseten keeps the port {_RESERVED_PORT} for itself; here it works"
        yield ("docker_server", "server_port"), message, "take another port if both shall run it"
    for name in ("predict_endpoint", "readiness_endpoint", "liveness_endpoint"):
        if (path := getattr(server, name)) in _RESERVED_PATHS:
            message = f"Baseten keeps the path {path} for itself; here it works"
            yield ("docker_server", name), message, "take another path if both shall run it"
    ports = [port for port in _values(options, ("--port",)) if port.isdecimal()]
    if len(ports) == 1 and int(ports[0]) != server.server_port:
        message = (
            f"the command says port {ports[0]}, and probes and routes ask {server.server_port}"
        )
        yield ("docker_server", "server_port"), message, f"write {ports[0]} here, or there"


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
        message = f"the command wants {counted(needed, 'GPU')}, and `accelerator` gives {count}"
        yield ("resources", "accelerator"), message, "make the two agree"
    for name in _VISIBLE:
        if name in config.environment_variables and accelerator:
            message = "the cluster decides which GPUs a pod sees, and this may hide them"
            yield ("environment_variables", name), message, "remove it"


def _concurrency(config: Config, started: set[str]) -> Iterator[Note]:
    if config.runtime.predict_concurrency > 1:
        return
    for program in _BATCHING:
        if program in started:
            message = f"Baseten gives {program} one request at a time; nothing limits it here"
            fix = "write what the server takes at once: autoscalers read it"
            yield ("runtime", "predict_concurrency"), message, fix


def _python(config: Config, written: Collection[str]) -> Iterator[Note]:
    if config.base_image is not None and "python_version" in written:
        message = "has no effect beside a base image, which brings its own Python"
        yield ("python_version",), message, "remove it if it confuses readers"


def _build_secrets(config: Config) -> Iterator[Note]:
    if config.build.secret_to_path_mapping and not config.build_commands:
        message = "the secrets of a build are for its commands, and there are none"
        yield ("build", "secret_to_path_mapping"), message, "add build_commands, or remove it"


def _own_app(config: Config) -> Iterator[Note]:
    server = config.docker_server
    if server.run_as_user_id is not None and server.start_command is None:
        message = "no_build leaves the image's /app as it is, and this user may not write there"
        fix = "have the image give its folders to this user"
        yield ("docker_server", "run_as_user_id"), message, fix
