"""The plugin as users get it by a tag of a git repository: its SDKs compile."""

import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.certificates import make_certificate
from support.git_server import git_server
from support.programs import Engine
from support.reliability import SOAK
from support.workspace import ROOT

COMPILERS: dict[str, list[list[str]]] = {
    "typescript": [["npm", "install"], ["node_modules/.bin/tsc", "--noEmit"]],
    "go": [["go", "mod", "tidy"], ["go", "build", "-o", "program", "."]],
    "java": [["mvn", "--quiet", "--batch-mode", "compile"]],
}
"""The commands that compile the example of each language."""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The URL of a bare repository with the files of this checkout at the tag v0.1.0.

    The second value is a bundle of certificates with that of the server.
    """
    folder = tmp_path_factory.mktemp("git")
    source = folder / "source"
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    for name in tracked:
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    author = ["-c", "user.name=tester", "-c", "user.email=tester@example.com"]
    for words in (
        ["init", "--quiet"],
        ["add", "."],
        [*author, "commit", "--quiet", "--message", "Release 0.1.0"],
        ["tag", "v0.1.0"],
        ["clone", "--quiet", "--bare", ".", str(folder / "repositories/trussform/trussform.git")],
    ):
        subprocess.run(["git", *words], cwd=source, check=True, capture_output=True)
    certificate, key = make_certificate(folder, "localhost", "subjectAltName=DNS:localhost")
    bundle = folder / "bundle.pem"
    bundle.write_text(_authorities() + certificate.read_text())
    try:
        with git_server(folder / "repositories", certificate, key) as url:
            yield f"{url}/trussform/trussform.git", str(bundle)
    except OSError as error:
        pytest.skip(f"port 443 of this machine: {error}")


def _authorities() -> str:
    """Returns the certificates that this machine trusts."""
    file = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    return Path(file).read_text() if file else ""


@pytest.fixture
def environment(engine: Engine) -> dict[str, str]:
    """Variables with an empty home of Pulumi, which has no plugin but the providers."""
    home = engine.folder / "home"
    (home / "plugins").mkdir(parents=True)
    installed = Path.home() / ".pulumi/plugins"
    for plugin in installed.glob("resource-*"):
        (home / "plugins" / plugin.name).symlink_to(plugin.resolve())
    changes = {
        "PULUMI_HOME": str(home),
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "false",
    }
    return {**os.environ, **engine.environment, **changes}


def call(folder: Path, environment: dict[str, str], *command: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def example(engine: Engine, language: str) -> Path:
    folder = engine.folder / "examples/programs" / language
    shutil.copytree(ROOT / "examples", engine.folder / "examples")
    return folder


def test_a_tag_of_a_repository_gives_the_plugin_and_its_sdk(
    engine: Engine, repository: tuple[str, str], environment: dict[str, str]
) -> None:
    url, environment["SSL_CERT_FILE"] = repository
    folder = example(engine, "python")
    project: Any = yaml.safe_load((folder / "Pulumi.yaml").read_text())
    options = {"virtualenv": sys.prefix, "toolchain": "pip"}
    project["runtime"] = {"name": "python", "options": options}
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))
    told = call(folder, environment, "pulumi", "package", "gen-sdk", f"{url}/components@v0.1.0",
                "--language", "python", "--out", "sdk")  # fmt: skip
    assert "Traceback" not in told
    sdk = folder / "sdk/python"
    install = ("-m", "pip", "install", "--quiet", "--no-deps", "--target", "installed", str(sdk))
    call(folder, environment, sys.executable, *install)
    environment["PYTHONPATH"] = "installed"
    fields = (
        "import trussform_trussform as sdk; print(sdk.StageArgs(environment='dev').environment)"
    )
    assert call(folder, environment, sys.executable, "-c", fields) == "dev\n"


@pytest.mark.parametrize("language", COMPILERS)
def test_the_sdk_of_a_tag_compiles(
    engine: Engine, repository: tuple[str, str], environment: dict[str, str], language: str
) -> None:
    commands = COMPILERS[language]
    if shutil.which(commands[0][0]) is None:
        pytest.skip(f"no {commands[0][0]}")
    if not SOAK:
        pytest.skip(f"the packages and the compiler of {language} take minutes: `make soak`")
    url, environment["SSL_CERT_FILE"] = repository
    folder = example(engine, language)
    project = yaml.safe_load((folder / "Pulumi.yaml").read_text())
    del project["packages"]  # The examples name the checkout.
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))
    call(folder, environment, "pulumi", "package", "add", f"{url}/components@v0.1.0")
    for command in commands:
        call(folder, environment, *command)
