"""Row 5: the bytes that an edit of a config rebuilds and pushes, against Truss's own Dockerfile.

Both contenders have the same config, base image, data and requirements. Pulumi's docker provider
builds both on the same daemon and pushes both to the same registry. The edits come one after
another. A figure counts the bytes of the layers and of the image's configuration that no image
before the edit had. A build counts if the provider ran one. One round is enough: another one
differs by some hundred bytes at most, because layers hold the times of files.

Truss's Dockerfile runs unchanged, except for two commands that need GitHub: `uv python install`
does nothing, and `uv venv` takes the Python of the base image. A script named `uv` in the base
image does that. Truss's images so lack one layer, the one of that Python, and its figures after an
edit of a requirement or a data file are lower than they would be with it.
"""

# pyright: reportMissingTypeStubs=false

import json
import random
import re
import shutil
import tempfile
import urllib.request
import uuid
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from support.programs import engine_missing
from support.workspace import merged
from testbed import settings

from bench.contenders import Object, Pulumi, write_project, write_python_project, write_yaml
from bench.figures import Figure
from bench.processes import Failed, absent, cost

TRUSSFORM, TRUSS, LAYER = "Trussform", "Truss's Dockerfile", "the changed layer alone"
NAMESPACE, NAME = "bench-builds", "bench-trussform"
IMAGE_TYPE = "docker:index/image:Image"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class Server(NamedTuple):
    """The files of a server and the values of its secrets, or an edit of them."""

    config: Object
    files: Mapping[str, bytes] = {}
    """The files beside the config, by path."""
    secrets: Mapping[str, str] = {}


START = Server(
    {
        "model_name": "server",
        "docker_server": {
            "start_command": "python3 /app/data/server.py --workers 1",
            "server_port": 8000,
            "predict_endpoint": "/predict",
            "readiness_endpoint": "/health",
            "liveness_endpoint": "/health",
        },
        "environment_variables": {"MODE": "first"},
        "requirements": ["fastapi==0.115.0", "uvicorn==0.30.0"],
        "secrets": {"token": None},
    },
    {
        "data/server.py": b"import http.server as h; h.test(h.SimpleHTTPRequestHandler, port=8000)",
        "data/labels.txt": b"first",
        "data/vocabulary.bin": random.Random(1).randbytes(20_000_000),
    },
    {"token": "first"},
)
EDITS: dict[str, Server] = {
    "the command": Server(
        {"docker_server": {"start_command": "python3 /app/data/server.py --workers 2"}}
    ),
    "an environment variable": Server({"environment_variables": {"MODE": "second"}}),
    "the value of a secret": Server({}, secrets={"token": "second"}),
    "a new secret": Server({"secrets": {"other": None}}, secrets={"other": "first"}),
    "a probe": Server({"docker_server": {"readiness_endpoint": "/ready"}}),
    "one requirement": Server({"requirements": ["fastapi==0.115.0", "uvicorn==0.30.1"]}),
    "one data file": Server({}, {"data/labels.txt": b"second"}),
}
LAYERS = {
    "one requirement": r"-r /tmp/trussform/requirements\.txt",
    "one data file": r"COPY (files/app/data|/app) /app",
}
"""The pattern of the instruction whose layer an edit changes."""

STAGE: Object = {
    "environment": "bench",
    "namespace": NAMESPACE,
    "domain": "bench.localhost",
    "route": {"kind": "gateway", "name": "nobody"},
    "auth": "none",
    "builder": "docker",
    "replicas": 0,
    "servers": {NAME: {"path": "server"}},
}
"""No pod starts: the row counts the bytes of images."""

BASE = """\
FROM {python}
RUN python3 -m pip install --no-cache-dir uv && mv /usr/local/bin/uv /usr/local/bin/uv-itself
COPY uv /usr/local/bin/uv
RUN chmod 755 /usr/local/bin/uv && echo {salt} > /etc/bench
"""
"""The base image of both. The salt keeps the layers of an earlier run out of the cache."""
UV = """\
#!/bin/sh
case "$1 $2" in
"python install") exit ;;
"venv "*) exec uv-itself venv "$2" --python python3 ;;
esac
exec uv-itself "$@"
"""
TRUSS_PROGRAM = """\
import pulumi_docker as docker

docker.Image(
    "server",
    image_name={name!r},
    build=docker.DockerBuildArgs(context="context", platform="linux/amd64"),
)
"""


class Image(NamedTuple):
    """An image in the registry."""

    reference: str
    """`repository@sha256:…`."""
    built: str
    """The time of the build, as the state of the stack has it."""
    blobs: Mapping[str, int]
    """The size of the configuration and of each layer, by digest."""


class ByTrussform(Pulumi):
    """This project's program, with one server."""

    def __init__(self, folder: Path, registry: str) -> None:
        super().__init__(TRUSSFORM, folder)
        self.server, self.repository = folder / "server", f"{registry}/{NAME}"
        write_project(folder, {**STAGE, "registry": registry})

    def give(self, server: Server) -> None:
        """Writes the server, as its author does."""
        write(server, self.server)
        for name, value in server.secrets.items():
            self.pulumi("config", "set", "--secret", "--path", f"trussform:secrets.{name}", value)


class ByTruss(Pulumi):
    """A program with one image, whose build context Truss makes from the same config."""

    def __init__(self, folder: Path, registry: str) -> None:
        super().__init__(TRUSS, folder)
        self.server, self.repository = folder / "server", f"{registry}/bench-truss"
        write_python_project(folder, "truss")
        program = TRUSS_PROGRAM.format(name=f"{self.repository}:latest")
        (folder / "__main__.py").write_text(program)

    def give(self, server: Server) -> None:
        """Makes the build context, which has no value of a secret."""
        from truss.contexts.image_builder.serving_image_builder import ServingImageBuilder

        write(server, self.server)
        context = self.folder / "context"
        shutil.rmtree(context, ignore_errors=True)
        context.mkdir()
        ServingImageBuilder(self.server).prepare_image_build_dir(context)


Contender = ByTrussform | ByTruss


def missing() -> str | None:
    if reason := engine_missing() or absent("kubectl", "docker"):
        return reason
    return None if settings.file() else "no cluster; run `make cluster`"


def measure() -> Iterator[Figure]:
    file = settings.file()
    assert file
    cluster = settings.read(file)
    with (
        tempfile.TemporaryDirectory() as name,
        base_image(cluster.images.python, cluster.registry, Path(name)) as base,
    ):
        folder = Path(name)
        for contender in (
            ByTrussform(folder / "trussform", cluster.registry),
            ByTruss(folder / "truss", cluster.registry),
        ):
            yield from edits(contender, base)


def edits(contender: Contender, base: str) -> Iterator[Figure]:
    """Yields the figures of each edit, and ends the stack."""
    server = START._replace(config={**START.config, "base_image": {"image": base}})
    contender.start()
    try:
        contender.give(server)
        before = up(contender)
        known = dict(before.blobs)
        for edit, change in EDITS.items():
            server = edited(server, change)
            contender.give(server)
            after = up(contender)
            pushed = sum(size for blob, size in after.blobs.items() if blob not in known)
            yield Figure(f"{edit}: pushed", contender.name, "bytes", (pushed,))
            builds = int(after.built != before.built)
            yield Figure(f"{edit}: builds", contender.name, "builds", (builds,))
            if contender.name == TRUSSFORM and edit in LAYERS:
                size = layer(after.reference, LAYERS[edit])
                yield Figure(f"{edit}: pushed", LAYER, "bytes", (size,))
            known |= after.blobs
            before = after
        check(before.reference)
    finally:
        contender.destroy()
        cost(["kubectl", "delete", "namespace", NAMESPACE, "--ignore-not-found"])
        remove_images(contender.repository)


def edited(server: Server, change: Server) -> Server:
    return Server(
        merged(server.config, change.config),
        {**server.files, **change.files},
        {**server.secrets, **change.secrets},
    )


def write(server: Server, folder: Path) -> None:
    for name, content in server.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    write_yaml(folder / "config.yaml", server.config)


def up(contender: Contender) -> Image:
    """Brings the stack up, and returns its image."""
    contender.up()
    resources = json.loads(contender.state().read_text())["checkpoint"]["latest"]["resources"]
    (made,) = (each for each in resources if each["type"] == IMAGE_TYPE)
    reference = made["outputs"]["repoDigest"]
    manifest = read(reference, "manifests", reference.partition("@")[2])
    blobs = [manifest["config"], *manifest["layers"]]
    sizes = {blob["digest"]: blob["size"] for blob in blobs}
    return Image(reference, made["modified"], sizes)


def layer(reference: str, instruction: str) -> int:
    """Returns the bytes of the layer that an instruction of the Dockerfile made."""
    manifest = read(reference, "manifests", reference.partition("@")[2])
    history = read(reference, "blobs", manifest["config"]["digest"])["history"]
    made = [each.get("created_by", "") for each in history if not each.get("empty_layer")]
    (size,) = (
        layer["size"]
        for layer, command in zip(manifest["layers"], made, strict=True)
        if re.search(instruction, command)
    )
    return size


def read(reference: str, kind: str, digest: str) -> Any:
    """Returns a manifest or a blob of the registry, which is JSON."""
    registry, _, repository = reference.partition("@")[0].partition("/")
    url = f"https://{registry}/v2/{repository}/{kind}/{digest}"
    request = urllib.request.Request(url, headers={"Accept": MANIFEST})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def check(reference: str) -> None:
    """Raises `Failed` if the image has another requirement or file than the last config."""
    look = (
        "import importlib.metadata as m; "
        "print(m.version('uvicorn'), open('/app/data/labels.txt').read())"
    )
    command = ["docker", "run", "--rm", "--entrypoint", "python3", reference, "-c", look]
    if not (found := cost(command).output).endswith(b"0.30.1 second\n"):
        raise Failed(f"{reference} has {found.decode()}")


@contextmanager
def base_image(python: str, registry: str, folder: Path) -> Generator[str]:
    """Builds the base image of both contenders, and pushes it."""
    context = folder / "base"
    context.mkdir()
    (context / "Dockerfile").write_text(BASE.format(python=python, salt=uuid.uuid4()))
    (context / "uv").write_text(UV)
    name = f"{registry}/bench-base:{uuid.uuid4().hex[:12]}"
    # The Docker CLI has BuildKit only with its plugin buildx.
    cost(["docker", "build", "--tag", name, context], env={"DOCKER_BUILDKIT": "0"})
    try:
        cost(["docker", "push", name])
        yield name
    finally:
        remove_images(name)


def remove_images(name: str) -> None:
    """Removes images from the daemon; its cache and the registry keep their layers."""
    if images := set(cost(["docker", "images", "--quiet", name]).output.decode().split()):
        cost(["docker", "image", "rm", "--force", *images])
