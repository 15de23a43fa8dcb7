"""Secrets that are known again wherever they get to, and all the places to look for them."""

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import quote, quote_plus

from pulumi.automation import CommandError, Stack
from trussform.cli.app import app
from typer.testing import CliRunner

from support.deployed import ByPulumi, kubectl

Told = dict[str, bytes]
"""The readable texts by their place."""

BLANKS = b" \t\r\n"
PULUMI = (
    ["config"],
    ["config", "--json"],
    ["stack", "export"],
    ["stack", "history", "--json"],
    ["stack", "output", "--json"],
)


def canary() -> str:
    """With signs that URLs and the second alphabet of base64 write in another way."""
    return f"canary/{token_hex(16)}+?>~{token_hex(16)}"


def forms(value: str) -> set[bytes]:
    """The value as it is, in URLs, and in base64 wherever it begins within a longer text."""
    found = {value, quote(value), quote(value, safe=""), quote_plus(value)}
    for before in range(3):
        text = b" " * before + value.encode()
        # The signs at both ends depend on what stands beside the value, so they are left out.
        whole = slice(-(-8 * before // 6), 8 * len(text) // 6)
        found |= {base64.b64encode(text).decode()[whole]}
        found |= {base64.urlsafe_b64encode(text).decode()[whole]}
    return {form.encode().translate(None, BLANKS) for form in found}


def holds(text: bytes, value: str) -> bool:
    """Returns true if the value is in the text, wherever its lines are broken."""
    text = text.translate(None, BLANKS)
    return any(form in text for form in forms(value))


def run(stack: Stack, operation: str, fails: bool = False, **options: Any) -> bytes:
    """Returns all that an operation prints and reports; it must end as `fails` says."""
    said: list[str] = []
    failed = False

    def on_event(event: Any) -> None:
        said.append(json.dumps(event, default=vars))

    try:
        getattr(stack, operation)(
            on_output=said.append, on_error=said.append, on_event=on_event, **options
        )
    except CommandError as error:
        said.append(str(error))
        failed = True
    assert failed == fails, "\n".join(said)
    return "\n".join(said).encode()


def pulumi(engine: ByPulumi, stack: str) -> Iterator[tuple[str, bytes]]:
    """Returns the output of Pulumi's commands. (The automation API's export asks for secrets.)"""
    for words in PULUMI:
        command = ["pulumi", *words, "--stack", stack, "--non-interactive"]
        environment = {**os.environ, **engine.engine.environment}
        done = subprocess.run(
            command, cwd=engine.project.folder, env=environment, capture_output=True, check=True
        )
        yield " ".join(["pulumi", *words]), done.stdout + done.stderr


def commands(stack: Path, out: Path) -> Iterator[tuple[str, bytes]]:
    """Returns the output of the command line; `render` writes below the folder."""
    for words in (["check"], ["explain"], ["render"], ["render", "--out", str(out)]):
        done = CliRunner().invoke(app, [*words, "--stack", str(stack)])
        assert done.exit_code == 0, done.output
        yield f"trussform {words[0]}, {len(words)} words", done.output.encode()


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Pulumi's state and history, stack files, build contexts; no link is followed."""
    for at, _, names in os.walk(folder):
        for file in (Path(at, name) for name in names):
            if not file.is_symlink():
                yield str(file), file.read_bytes()


def objects(namespace: str) -> Iterator[tuple[str, bytes]]:
    """All but the Secrets, events among them."""
    kinds = kubectl("api-resources", "--namespaced", "--verbs=list", "--output=name").split()
    asked = ",".join(kind for kind in kinds if kind != "secrets")
    words = ("-n", namespace, "-o", "json", "--show-managed-fields")
    for made in json.loads(kubectl("get", asked, *words))["items"]:
        yield f"{made['kind']} {made['metadata']['name']}", json.dumps(made).encode()


def logs(namespace: str) -> Iterator[tuple[str, bytes]]:
    """The logs of all pods; a pod that is about to go may be gone before it is read."""
    for pod in kubectl("get", "pods", "-n", namespace, "-o", "name").split():
        command = ["kubectl", "logs", "-n", namespace, pod, "--all-containers", "--ignore-errors"]
        done = subprocess.run([*command, "--since=15m"], capture_output=True, check=False)
        assert done.returncode == 0 or b"(NotFound)" in done.stderr, done.stderr
        yield f"log of {pod}", done.stdout


def image(name: str) -> Iterator[tuple[str, bytes]]:
    """An image's history, its config, and every file of its layers."""
    docker("pull", "--quiet", name)
    yield "docker history", docker("history", "--no-trunc", name)
    yield "docker inspect", docker("inspect", name)
    yield "docker save", docker("save", name)


def docker(*words: str) -> bytes:
    return subprocess.run(["docker", *words], capture_output=True, check=True).stdout
