"""Stacks of this project's program on a cluster: by the real engine, or without one by
`trussform render`, `docker build` and `kubectl apply`."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation

from support.cluster import cluster
from support.programs import Engine
from support.workspace import ROOT, merged

SERVERS = Path(__file__).parents[1] / "cluster/servers"
EXAMPLE = ROOT / "examples/servers/minilm-embeddings"

STAGE: dict[str, Any] = {
    "route": {"kind": "gateway", "name": "gateway", "namespace": "gateway", "scheme": "http"},
    "domain": "models.localhost",
    "auth": "none",
    "request_timeout": 5,
    "deadlines": {"provisioning": 0, "pull": 60, "startup": 60},
}


class Project:
    """A copy of this project's program, with the servers under test and any stages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        (self.folder / "stacks").mkdir(parents=True)
        for name in ("Pulumi.yaml", "__main__.py"):
            shutil.copy(ROOT / name, self.folder / name)
        shutil.copytree(SERVERS, self.folder / "servers")
        shutil.copytree(EXAMPLE, self.folder / "servers" / EXAMPLE.name)
        (self.folder / ".venv").symlink_to(sys.prefix)

    def file(self, environment: str) -> Path:
        return self.folder / f"stacks/Pulumi.{environment}.yaml"

    def write(self, environment: str, changes: dict[str, Any]) -> None:
        """Write the stage of an environment: the one above, with changes."""
        fixed = {
            "environment": environment,
            "namespace": f"models-{environment}",
            "registry": cluster().registry,
        }
        stage = merged(merged(STAGE, fixed), deepcopy(changes))
        stage["route"] = changes.get("route", STAGE["route"])
        for server in stage["servers"].values():
            base = {"base_image": {"image": cluster().images.python}}
            server["config"] = merged(base, server.get("config", {}))
        file = self.file(environment)
        kept: dict[str, Any] = yaml.safe_load(file.read_text()) if file.exists() else {}
        config = {**kept.get("config", {}), "trussform:stage": stage}
        file.write_text(yaml.safe_dump({**kept, "config": config}))


class ByPulumi:
    """Deploys by `pulumi up`."""

    how = "by `pulumi up`"

    def __init__(self, folder: Path, service: str = "") -> None:
        self.project = Project(folder)
        self.engine = Engine(folder, service)
        (folder / "state").mkdir()
        self.stacks: dict[str, automation.Stack] = {}

    def stack(self, environment: str) -> automation.Stack:
        if environment not in self.stacks:
            self.stacks[environment] = self.engine.stack(environment, self.project.folder)
        return self.stacks[environment]

    def up(self, environment: str, changes: dict[str, Any], **secrets: str) -> None:
        self.project.write(environment, changes)
        self.secrets(environment, **secrets)
        self.stack(environment).up()

    def secrets(self, environment: str, **secrets: str) -> None:
        for name, value in secrets.items():
            secret = automation.ConfigValue(value, secret=True)
            self.stack(environment).set_config(f"trussform:secrets.{name}", secret, path=True)

    def destroy(self, environment: str) -> None:
        if stack := self.stacks.pop(environment, None):
            stack.destroy()


class ByKubectl:
    """Deploys by `trussform render`: each image built and pushed from the context that it writes,
    each secret made as its files say, the objects given to kubectl."""

    how = "by `trussform render` and `kubectl apply`"

    def __init__(self, folder: Path) -> None:
        self.project = Project(folder)
        self.stacks: set[str] = set()

    def up(self, environment: str, changes: dict[str, Any], **secrets: str) -> None:
        out = self.project.folder / "out" / environment
        self.stacks.add(environment)
        self.project.write(environment, changes)
        shutil.rmtree(out, ignore_errors=True)
        file = self.project.file(environment)
        words = ("-m", "trussform.cli", "render", "--stack", str(file), "--out", str(out))
        self._call(sys.executable, *words)
        for namespace in out.glob("0-namespace-*.yaml"):
            kubectl("apply", "--filename", str(namespace))
        for folder in sorted(path.parent for path in out.glob("*/deployment.yaml")):
            self._server(folder, f"models-{environment}", secrets)

    def _server(self, folder: Path, namespace: str, secrets: dict[str, str]) -> None:
        deployment = yaml.safe_load((folder / "deployment.yaml").read_text())
        pod = deployment["spec"]["template"]["spec"]
        if (folder / "image").is_dir():
            image = pod["containers"][0]["image"]
            self._call("docker", "build", "--quiet", "--tag", image, str(folder / "image"))
            self._call("docker", "push", "--quiet", image)
        if any(volume["name"] == "secrets" for volume in pod["volumes"]):
            name = f"{folder.name}-secrets"
            values = [f"--from-literal={key}={value}" for key, value in secrets.items()]
            kubectl("delete", "secret", name, "-n", namespace, "--ignore-not-found")
            kubectl("create", "secret", "generic", name, "-n", namespace, *values)
        kubectl("apply", f"--filename={folder}")
        name = deployment["metadata"]["name"]
        kubectl("rollout", "status", f"deployment/{name}", "-n", namespace)

    def _call(self, *command: str) -> None:
        variables = {**os.environ, "DOCKER_BUILDKIT": "0"}
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=self.project.folder,
            env=variables,
            check=False,
        )
        assert done.returncode == 0, f"{command[:3]}: {done.stdout}{done.stderr}"

    def destroy(self, environment: str) -> None:
        self.stacks.discard(environment)
        namespace = f"models-{environment}"
        # A namespace with pods in it goes only after half of their grace period.
        kubectl("delete", "deployments", "--all", "-n", namespace, "--cascade=foreground")
        kubectl("delete", "namespace", namespace, "--ignore-not-found")


Deployed = ByPulumi | ByKubectl


def destroy(deployed: Deployed, *environments: str) -> None:
    """End several at once: the small node has room again for the tests after these."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(deployed.destroy, environments))


def kubectl(*arguments: str, input: str | None = None) -> str:
    command = ["kubectl", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, input=input)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pods(namespace: str, server: str) -> list[dict[str, Any]]:
    """The pods of a server that are not about to go."""
    selector = f"--selector=app.kubernetes.io/name={server}"
    items = json.loads(kubectl("get", "pods", "-n", namespace, selector, "-o", "json"))["items"]
    return [pod for pod in items if "deletionTimestamp" not in pod["metadata"]]
