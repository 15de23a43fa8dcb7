"""The same server by a program of each language, on the real cluster by the real engine."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi import automation
from pulumi.automation import CommandError
from support.cluster import cluster
from support.deployed import STAGE, kubectl
from support.programs import Engine, engine_missing
from support.reliability import SOAK
from support.workspace import ROOT

NAMESPACE = "models-languages"
CANARY = "sesame-of-the-languages"
LANGUAGES = {
    "yaml": ("pulumi-language-yaml",),
    "typescript": ("pulumi-language-nodejs", "npm"),
    "go": ("pulumi-language-go", "go"),
    "java": ("pulumi-language-java", "mvn"),
}
"""The programs that each language needs."""
KINDS = "deployments,services,httproutes,secrets"
SERVER = """
import http.server, os, signal

open("/secrets/hf_access_token").read()
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
http.server.test(http.server.SimpleHTTPRequestHandler, port=8000)
"""
CONFIG: dict[str, Any] = {
    "docker_server": {
        "start_command": f"python3 -c '{SERVER}'",
        "server_port": 8000,
        "predict_endpoint": "/",
        "readiness_endpoint": "/",
        "liveness_endpoint": "/",
    },
    "resources": {"cpu": "10m", "memory": "64Mi"},
    "secrets": {"hf_access_token": None},
}


class Programs:
    """A copy of the examples, with a small server in place of vLLM, and a platform of the test."""

    def __init__(self, folder: Path) -> None:
        self.engine = Engine(folder)
        (folder / "state").mkdir()
        for part in ("examples", "components"):
            shutil.copytree(ROOT / part, folder / part)
        options = {"virtualenv": sys.prefix}
        plugin = {"runtime": {"name": "python", "options": options}}
        (folder / "components/PulumiPlugin.yaml").write_text(yaml.safe_dump(plugin))
        shutil.copy(ROOT / "requirements.lock", folder)
        self.config = folder / "examples/servers/vllm-llama-3.1-8b/config.yaml"
        self.write("one")
        python = folder / "examples/programs/python"
        (python / ".venv").symlink_to(sys.prefix)
        values = {
            "namespace": NAMESPACE,
            "domain": STAGE["domain"],
            "gateway": STAGE["route"]["name"],
            "gatewayNamespace": STAGE["route"]["namespace"],
            "registry": cluster().registry,
        }
        lines = [f"pulumi.export({name!r}, {text!r})" for name, text in values.items()]
        (python / "platform/__main__.py").write_text("import pulumi\n" + "\n".join(lines) + "\n")
        self.engine.stack("dev", python / "platform").up()

    def write(self, text: str) -> None:
        """Writes the config, with a text of its own."""
        image = {"image": cluster().images.python}
        config = {**CONFIG, "base_image": image, "environment_variables": {"TEXT": text}}
        self.config.write_text(yaml.safe_dump(config))

    def stack(self, language: str) -> automation.Stack:
        """Returns the stack of a language's program, with its SDK of the component."""
        folder = self.engine.folder / "examples/programs" / language
        if language != "python":
            self.pulumi(folder, "package", "add", "../../../components")
        stack = self.engine.stack("dev", folder, platform="organization/platform/dev")
        stack.set_config("hfAccessToken", automation.ConfigValue(CANARY, secret=True))
        return stack

    def pulumi(self, folder: Path, *words: str) -> None:
        command = ["pulumi", "--non-interactive", *words]
        environment = {**os.environ, **self.engine.environment}
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def skip_without(language: str) -> None:
    """Skips a test if the machine lacks a part of a language, or time for its compiler."""
    if missing := [name for name in LANGUAGES[language] if shutil.which(name) is None]:
        pytest.skip(f"no {' and no '.join(missing)}")
    plugins = Path.home() / ".pulumi/plugins"
    for name in ("kubernetes", "docker", "docker-build"):
        if not any(plugins.glob(f"resource-{name}-v*")):
            pytest.skip(f"`pulumi package add` needs the installed plugin {name}")
    if language != "yaml" and not SOAK:
        pytest.skip(f"the packages and the compiler of {language} take minutes: `make soak`")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    cluster()
    if reason := engine_missing():
        pytest.skip(f"no Pulumi engine: {reason}")
    kubectl("create", "namespace", NAMESPACE)
    yield Programs(tmp_path_factory.mktemp("languages"))
    kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def objects() -> list[Any]:
    """Returns the objects of the namespace, without the parts that the cluster adds."""
    found = json.loads(kubectl("get", KINDS, "--namespace", NAMESPACE, "--output", "json"))["items"]
    own = [one for one in found if one["metadata"]["name"].startswith("llama")]
    return sorted((_bare(one) for one in own), key=lambda one: one["kind"])


def _bare(made: Any) -> Any:
    about = made["metadata"]
    kept = {name: about[name] for name in ("labels", "annotations", "namespace") if name in about}
    kept.get("annotations", {}).pop("deployment.kubernetes.io/revision", None)
    spec = {name: made[name] for name in ("spec", "data", "type") if name in made}
    for name in ("clusterIP", "clusterIPs"):
        spec.get("spec", {}).pop(name, None)
    # Pulumi adds a random end to the name of the Secret.
    text = json.dumps({"kind": made["kind"], "metadata": kept, **spec}, sort_keys=True)
    return json.loads(re.sub(r"llama-secrets-[0-9a-f]+", "llama-secrets", text))


@pytest.fixture(scope="module")
def expected(programs: Programs) -> list[Any]:
    """The objects of the Python program."""
    stack = programs.stack("python")
    stack.up()
    made = objects()
    stack.destroy()
    assert len(made) == 4
    return made


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_makes_the_objects_of_python(
    programs: Programs, expected: list[Any], language: str
) -> None:
    skip_without(language)
    programs.write("one")
    stack = programs.stack(language)
    try:
        stack.up()
        assert objects() == expected
        assert set(stack.preview().change_summary) == {"same"}
        programs.write("two")
        changes: Any = stack.up().summary.resource_changes
        assert (changes["update"], set(changes)) == (1, {"same", "update"})
        assert CANARY not in json.dumps(stack.export_stack().deployment)
    finally:
        stack.destroy()
    assert objects() == []


def test_mistakes_have_the_spelling_of_the_language_and_no_traceback(programs: Programs) -> None:
    skip_without("yaml")
    stack = programs.stack("yaml")
    file = Path(stack.workspace.work_dir) / "Pulumi.yaml"
    program = file.read_text()
    wrong = 'pod: {fsGroup: group}\n        ingressFrom: [{cidr: "10.x"}]\n        auth:'
    file.write_text(program.replace("auth:", wrong))
    programs.config.write_text("docker_servr: {}\n")
    try:
        with pytest.raises(CommandError) as caught:
            stack.preview()
    finally:
        file.write_text(program)
        programs.write("one")
    told = str(caught.value)
    assert "args: stage.pod.fsGroup: expected a whole number, found text; write a number" in told
    assert "args: stage.ingressFrom[0].cidr: `10.x` is not an IP address or a range" in told
    assert "config.yaml:1:1: docker_servr: unknown field; did you mean `docker_server`?" in told
    assert "Traceback" not in told
    assert ".py" not in told


def test_a_wrong_word_does_not_compile_in_typescript(programs: Programs) -> None:
    skip_without("typescript")
    folder = programs.engine.folder / "examples/programs/typescript"
    programs.pulumi(folder, "package", "add", "../../../components")
    program = (folder / "index.ts").read_text()
    (folder / "index.ts").write_text(program.replace('kind: "gateway"', 'kind: "gatway"'))
    compiler = [str(folder / "node_modules/.bin/tsc"), "--project", str(folder)]
    wrong = subprocess.run(compiler, capture_output=True, text=True, check=False)
    (folder / "index.ts").write_text(program)
    right = subprocess.run(compiler, capture_output=True, text=True, check=False)
    assert """Did you mean '"gateway"'?""" in wrong.stdout
    assert (right.stdout, right.returncode) == ("", 0)
