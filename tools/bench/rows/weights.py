"""Row 8: a fetch of weights from a local hub and a local S3, against `hf` and `aws`.

All contenders read from one store, a process of its own that sends files by sendfile. Seconds are
those of the whole process, its start and its imports included. The disk is written back before
each turn, and the content of the files is checked after it.
"""

import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from trussform import fetcher

from bench.figures import Figure, alternate, compare
from bench.processes import Failed, cost

SHARDS, SHARD = 16, 60 << 20
"""The large files of the model, and the bytes of each: 1 GB in all."""
SMALL = {"config.json": b'{"hidden_size": 4096}', "tokenizer.json": b"[]" * 100_000}
REPOSITORY, BUCKET, COMMIT = "owner/model", "bucket", "c0ffee00" * 5
HUB, S3 = f"hf://{REPOSITORY}@{COMMIT}", f"s3://{BUCKET}"
FOLDER = "model"
"""The folder of the weights on a volume."""
TRUSSFORM, DISK = "Trussform", "one stream of the disk"
CHUNK = 4 << 20
FEW = 3
"""The rounds of the figures that hardly vary or take long."""


class Model(NamedTuple):
    """The files of the model, and the SHA-256 of each by its name."""

    folder: Path
    checksums: Mapping[str, str]

    @property
    def size(self) -> int:
        return sum((self.folder / name).stat().st_size for name in self.checksums)


class Store(NamedTuple):
    """The address of the store, and what it has sent since it started."""

    url: str
    requests: Any
    sent: Any
    """The bytes of files."""


class Contender(NamedTuple):
    """A program that fetches the model into a folder of a volume."""

    who: str
    command: tuple[str | Path, ...]
    volume: Path
    variables: Mapping[str, str]


def missing() -> str | None:
    needed = 6 * SHARDS * SHARD
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < needed:
        return f"{tempfile.gettempdir()} has {free / 1e9:.1f} GB free; free {needed / 1e9:.1f} GB"
    return None


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = make_model(folder / "files")
        with serve(model) as store:
            stores = {
                "hub": [trussform(HUB, folder / "from-hub", store), hf(folder / "hf", store)],
                "S3": [trussform(S3, folder / "from-s3", store)],
            }
            if program := install_aws(folder / "aws-cli"):
                stores["S3"].append(aws(program, folder / "aws", store))
            yield from fetches(stores, model, folder / "disk")
            for name, contenders in stores.items():
                second = {each.who: partial(second_pod, each, model, store) for each in contenders}
                yield from compare(f"{name}: read by a second pod", "bytes", second, FEW)
                yield from resumed(name, contenders, model, store)


def fetches(stores: Mapping[str, list[Contender]], model: Model, disk: Path) -> Iterator[Figure]:
    """Yields the rates of fetches from all stores, each beside the rate of the disk."""
    every = {(name, each.who): each for name, contenders in stores.items() for each in contenders}
    runs = {f"{name}/{who}": partial(rate, each, model) for (name, who), each in every.items()}
    values = alternate({**runs, DISK: partial(disk_rate, model, disk)})
    for name, who in every:
        yield Figure(f"{name}: fetch", who, "MB/s", values[f"{name}/{who}"])
    for name in stores:
        yield Figure(f"{name}: fetch", DISK, "MB/s", values[DISK])


def resumed(name: str, contenders: list[Contender], model: Model, store: Store) -> Iterator[Figure]:
    """Yields the rate of the rest after an interruption, and the bytes that came twice."""
    twice: dict[str, list[float]] = {each.who: [] for each in contenders}

    def turn(contender: Contender) -> float:
        rest = interrupt(contender, model, store)
        before = store.sent.value
        seconds = run(contender)
        check(contender, model)
        twice[contender.who].append((store.sent.value - before - rest) / 1e6)
        return rest / seconds / 1e6

    turns = {each.who: partial(turn, each) for each in contenders}
    yield from compare(f"{name}: the rest of a fetch that was killed at half", "MB/s", turns, FEW)
    for who, values in twice.items():
        yield Figure(f"{name}: fetched twice after a kill at half", who, "MB", tuple(values))


def rate(contender: Contender, model: Model) -> float:
    """Returns the 10^6 bytes per second of a fetch onto an empty volume."""
    clear(contender)
    seconds = run(contender)
    check(contender, model)
    return model.size / seconds / 1e6


def disk_rate(model: Model, folder: Path) -> float:
    """Returns the rate at which one stream writes the files and flushes them to the disk."""
    folder.mkdir()
    os.sync()
    begun = time.perf_counter()
    for name in model.checksums:
        with open(model.folder / name, "rb") as source, open(folder / name, "wb") as target:
            shutil.copyfileobj(source, target, CHUNK)
            os.fsync(target.fileno())
    seconds = time.perf_counter() - begun
    shutil.rmtree(folder)
    return model.size / seconds / 1e6


def second_pod(contender: Contender, model: Model, store: Store) -> float:
    """Returns the bytes that a second run reads from the store, on the volume of the first one.

    Raises `Failed` if Trussform asks the store for anything.
    """
    requests, before = store.requests.value, store.sent.value
    run(contender)
    check(contender, model)
    if contender.who == TRUSSFORM and store.requests.value != requests:
        raise Failed(f"a second pod made {store.requests.value - requests} requests")
    return store.sent.value - before


def interrupt(contender: Contender, model: Model, store: Store) -> int:
    """Kills a fetch when half of the model is sent; returns the bytes that were not sent."""
    clear(contender)
    before = store.sent.value
    process = subprocess.Popen(
        [str(word) for word in contender.command],
        cwd=contender.volume,
        env={**os.environ, **contender.variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while store.sent.value - before < model.size / 2:
        if process.poll() is not None:
            raise Failed(f"{contender.who} ended before half of the model was sent")
        time.sleep(0.005)
    process.kill()
    process.wait()
    # The store notices the closed connections only at its next write.
    time.sleep(0.5)
    return model.size - (store.sent.value - before)


def clear(contender: Contender) -> None:
    shutil.rmtree(contender.volume, ignore_errors=True)
    contender.volume.mkdir()


def run(contender: Contender) -> float:
    """Returns the seconds of a run; what the disk still had to write is written before it."""
    os.sync()
    return cost(contender.command, contender.volume, contender.variables).seconds


def check(contender: Contender, model: Model) -> None:
    """Raises `Failed` if a file of the model is absent or differs."""

    def differs(name: str) -> bool:
        file = contender.volume / FOLDER / name
        return not file.is_file() or _sha256(file) != model.checksums[name]

    with ThreadPoolExecutor() as pool:
        for name, wrong in zip(model.checksums, pool.map(differs, model.checksums), strict=True):
            if wrong:
                raise Failed(f"{contender.who} left another {name} than the store has")


def trussform(source: str, volume: Path, store: Store) -> Contender:
    """Returns the program of the init container, with the variables that its pod sets."""
    program = volume.with_name(f"{volume.name}-program") / "fetcher"
    shutil.copytree(Path(fetcher.__file__).parent, program)
    variables = {
        **_environment(volume, store),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "PYTHONPATH": str(program.parent),
        "TRUSSFORM_VOLUME": str(volume),
        "TRUSSFORM_WEIGHTS": json.dumps([{"id": "model.1", "source": source, "folder": FOLDER}]),
    }
    return Contender(TRUSSFORM, (sys.executable, "-m", "fetcher"), volume, variables)


def hf(volume: Path, store: Store) -> Contender:
    program = Path(sys.executable).with_name("hf")
    words = ("download", REPOSITORY, "--revision", COMMIT, "--local-dir", FOLDER, "--quiet")
    return Contender("hf download", (program, *words), volume, _environment(volume, store))


def aws(program: Path, volume: Path, store: Store) -> Contender:
    words = ("s3", "cp", "--recursive", "--no-sign-request", "--no-progress", f"{S3}/", FOLDER)
    return Contender("aws s3 cp", (program, *words), volume, _environment(volume, store))


def _environment(volume: Path, store: Store) -> dict[str, str]:
    return {
        "HOME": f"{volume}/.home",
        "HF_HOME": f"{volume}/.huggingface",
        "HF_ENDPOINT": store.url,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "AWS_ENDPOINT_URL_S3": f"{store.url}/s3",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def install_aws(folder: Path) -> Path | None:
    """Installs `awscli` into a folder; returns None if the package registry does not answer."""
    uv = Path(sys.executable).with_name("uv")
    with suppress(Failed):
        cost([uv, "venv", "--quiet", folder])
        cost([uv, "pip", "install", "--quiet", "--python", folder / "bin/python", "awscli"])
        return folder / "bin/aws"
    return None


def make_model(folder: Path) -> Model:
    folder.mkdir()
    for name, content in SMALL.items():
        (folder / name).write_bytes(content)
    for number in range(SHARDS):
        content = random.Random(number).randbytes(SHARD)
        (folder / f"model-{number:05}-of-{SHARDS:05}.safetensors").write_bytes(content)
    return Model(folder, {file.name: _sha256(file) for file in sorted(folder.iterdir())})


def _sha256(file: Path) -> str:
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


@contextmanager
def serve(model: Model) -> Generator[Store]:
    """Runs the store in a process of its own."""
    # A spawned process would import all rows.
    context = get_context("fork")
    requests, total = context.Value("Q"), context.Value("Q")
    ours, theirs = Pipe()
    process = context.Process(target=_serve, args=(model, requests, total, theirs), daemon=True)
    process.start()
    try:
        yield Store(f"http://127.0.0.1:{ours.recv()}", requests, total)
    finally:
        process.kill()
        process.join()


def _serve(model: Model, requests: Any, total: Any, port: Connection) -> None:
    _Handler.model, _Handler.requests, _Handler.sent = model, requests, total
    server = _Server(("127.0.0.1", 0), _Handler)
    port.send(server.server_port)
    server.serve_forever()


class _Server(ThreadingHTTPServer):
    request_queue_size = 1024
    """S3's clients open dozens of connections at once."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Prints nothing: a killed client resets its connections."""


class _Handler(BaseHTTPRequestHandler):
    """Answers as Hugging Face's hub and as S3, as far as a download goes."""

    protocol_version = "HTTP/1.1"
    model: Model
    requests: Any
    sent: Any

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        with self.requests.get_lock():
            self.requests.value += 1
        path = unquote(urlsplit(self.path).path)
        for pattern, answer in _ANSWERS.items():
            if found := re.fullmatch(pattern, path):
                return answer(self, *found.groups())
        return self.reply(b"", 404)

    def reply(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def hub_info(self) -> None:
        names = [{"rfilename": name} for name in self.model.checksums]
        self.reply(json.dumps({"id": REPOSITORY, "sha": COMMIT, "siblings": names}).encode())

    def hub_tree(self) -> None:
        self.reply(json.dumps([_tree_entry(self.model, name) for name in self.model.checksums])
                   .encode())  # fmt: skip

    def s3_list(self) -> None:
        found = "".join(
            f"<Contents><Key>{name}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>&quot;{checksum}&quot;</ETag>"
            f"<Size>{(self.model.folder / name).stat().st_size}</Size></Contents>"
            for name, checksum in self.model.checksums.items()
        )
        listed = f"{found}<IsTruncated>false</IsTruncated>"
        self.reply(f"<ListBucketResult>{listed}</ListBucketResult>".encode())

    def send_file(self, name: str) -> None:
        file = self.model.folder / name
        size = file.stat().st_size
        asked = self.headers["Range"]
        first, _, last = (asked or "bytes=0-").removeprefix("bytes=").partition("-")
        start, stop = int(first), min(int(last or size) + 1, size)
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
        self.send_header("Content-Length", str(stop - start))
        self.send_header("ETag", f'"{_tree_entry(self.model, name)["oid"]}"')
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self.send_range(file, start, stop)

    def send_range(self, file: Path, start: int, stop: int) -> None:
        self.wfile.flush()
        with open(file, "rb") as source:
            while start < stop:
                count = min(CHUNK, stop - start)
                try:
                    done = os.sendfile(self.connection.fileno(), source.fileno(), start, count)
                except ConnectionError:
                    self.close_connection = True
                    return
                start += done
                with self.sent.get_lock():
                    self.sent.value += done


def _tree_entry(model: Model, name: str) -> dict[str, Any]:
    """Returns a file as the hub lists it: a large one with its SHA-256, others with git's SHA-1."""
    file, checksum = model.folder / name, model.checksums[name]
    entry = {"type": "file", "path": name, "size": file.stat().st_size}
    if name not in SMALL:
        large = {"oid": checksum, "size": entry["size"], "pointerSize": 130}
        return {**entry, "oid": checksum, "lfs": large}
    content = file.read_bytes()
    return {**entry, "oid": hashlib.sha1(b"blob %d\0%s" % (len(content), content)).hexdigest()}


_ANSWERS: Mapping[str, Callable[..., None]] = {
    rf"/api/models/{REPOSITORY}(?:/revision/[^/]+)?": _Handler.hub_info,
    rf"/api/models/{REPOSITORY}/tree/[^/]+": _Handler.hub_tree,
    rf"/{REPOSITORY}/resolve/[^/]+/(.+)": _Handler.send_file,
    rf"/s3/{BUCKET}/?": _Handler.s3_list,
    rf"/s3/{BUCKET}/(.+)": _Handler.send_file,
}
