"""The quickstarts of the README and of the site, command by command, as printed."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from support.cluster import cluster
from support.deployed import kubectl
from support.programs import engine_missing
from support.workspace import ROOT

PAGES = {
    "README.md": ("Install", "A first server"),
    "docs/quickstart.md": (
        *("Install", "Write a config", "Create a project", "Deploy"),
        *("Call the server", "Remove the server"),
    ),
}
"""The sections of each page whose commands run."""
MARK = "==> "
CLONE = "git clone https://github.com/trussform/trussform"


class Command(NamedTuple):
    """A command of a page, and the lines that the page shows below it."""

    text: str
    shown: list[str]


def commands(page: str) -> Iterator[Command]:
    """Yields the commands of a page's sections; a here-document is part of its command."""
    for section in re.split(r"^## ", (ROOT / page).read_text(), flags=re.M):
        if section.partition("\n")[0] in PAGES[page]:
            for block in re.findall(r"^```console\n(.*?)^```", section, re.DOTALL | re.M):
                for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
                    lines = part.splitlines()
                    end = lines.index("EOF") + 1 if "<<'EOF'" in lines[0] else 1
                    yield Command("\n".join(lines[:end]), lines[end:])


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.mark.parametrize("page", PAGES)
def test_the_quickstart_leads_to_an_answer(page: str, tmp_path: Path) -> None:
    cluster()
    if reason := engine_missing():
        pytest.skip(f"no Pulumi engine: {reason}")
    printed = list(commands(page))
    replaced = {
        CLONE: f"ln -s {ROOT} trussform",
        "pulumi login --local": f"pulumi login file://{tmp_path / 'home'}",
        "python:3.11-slim": cluster().images.python,
        "18080": str(free_port()),
    }
    # A program that the page starts in the background would keep the output open.
    script = ["set -em", "trap 'kill $(jobs -p) 2> /dev/null || true' EXIT"]
    for number, command in enumerate(printed):
        text = command.text
        for before, after in replaced.items():
            text = text.replace(before, after)
        script += [f"echo '{MARK}{number}'", text]
    (tmp_path / "home").mkdir()
    environment = {
        **os.environ,
        "HOME": str(tmp_path / "home"),
        "PULUMI_CREDENTIALS_PATH": str(tmp_path / "home"),
        "KUBECONFIG": os.environ.get("KUBECONFIG", str(Path.home() / ".kube/config")),
        "PATH": f"{Path(sys.base_prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    for name in ("VIRTUAL_ENV", "PULUMI_BACKEND_URL"):
        environment.pop(name, None)
    try:
        done = run(script, tmp_path, environment)
    finally:
        end = ["export PULUMI_CONFIG_PASSPHRASE=", "cd models", ". .venv/bin/activate"]
        run([*end, "pulumi destroy --yes --stack dev"], tmp_path, environment)
        kubectl("delete", "namespace", "models", "--wait=false", "--ignore-not-found")
    outputs = dict(
        part.split("\n", 1) for part in done.stdout.split(MARK)[1:]
    )  # The output of each command by its number.
    assert done.returncode == 0, f"{printed[len(outputs) - 1].text}\n{done.stdout}\n{done.stderr}"
    for number, command in enumerate(printed):
        if command.shown:
            shown = (outputs[str(number)] + done.stderr).splitlines()
            assert [line for line in command.shown if line not in shown] == [], command.text


def run(
    lines: list[str], folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
