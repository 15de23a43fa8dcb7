"""The tools that bring the same servers up: Trussform, Pulumi by hand, Terraform, Helm, kubectl."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

import yaml
from support.programs import Engine

from bench.processes import Cost, cost, wait_for

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).with_name("programs")
NAMESPACE = "bench"
"""The namespace of Trussform's objects; each other contender has one of its own."""
STACK = "bench"
KINDS = "deployments,services,httproutes"
IMAGE = f"registry.example.com/server@sha256:{'a' * 64}"

Object = dict[str, Any]
Servers = dict[str, list[Object]]
"""The objects of each server by its name."""

CONFIG: Object = {
    "model_name": "server",
    "base_image": {"image": IMAGE},
    "docker_server": {
        "start_command": "python -m http.server 8000",
        "server_port": 8000,
        "predict_endpoint": "/v1/chat/completions",
        "readiness_endpoint": "/health",
        "liveness_endpoint": "/health",
    },
    "environment_variables": {"MODE": "first"},
    "resources": {"cpu": "1", "memory": "2Gi", "accelerator": "L4", "use_gpu": True},
}
"""A server with a GPU and without a build."""

STAGE: Object = {
    "environment": "bench",
    "namespace": NAMESPACE,
    "create_namespace": False,
    "domain": "bench.localhost",
    "route": {"kind": "gateway", "name": "nobody"},
    "auth": "none",
    "replicas": 0,
}
"""No pod starts, so that the figures are those of the tools alone."""


class Project:
    """A project of Trussform with `count` servers; the other contenders have its objects."""

    def __init__(self, folder: Path, count: int, more: Object | None = None) -> None:
        self.folder = folder
        self.names = [f"s{number:04}" for number in range(count)]
        servers = {name: {"path": f"servers/{name}"} for name in self.names}
        write_project(folder, {**STAGE, **(more or {}), "servers": servers})
        for name in self.names:
            (folder / "servers" / name).mkdir(parents=True)
            self.write(name, CONFIG)

    def write(self, name: str, config: Object) -> None:
        write_yaml(self.folder / "servers" / name / "config.yaml", {**config, "model_name": name})

    def edit(self, mode: str) -> None:
        """Changes an environment variable of the first server."""
        self.write(self.names[0], {**CONFIG, "environment_variables": {"MODE": mode}})

    def servers(self) -> Servers:
        """Returns the objects that `trussform render` writes."""
        out = self.folder / "out"
        command = [sys.executable, "-m", "trussform.cli", "render", "--stack", STACK, "--out", out]
        cost(command, self.folder)
        return {
            name: [
                yaml.load(file.read_text(), Loader=yaml.CSafeLoader)
                for file in sorted((out / name).glob("*.yaml"))
            ]
            for name in self.names
        }


def write_project(folder: Path, stage: Object) -> None:
    """Writes the ready-made program with this stage."""
    (folder / "stacks").mkdir(parents=True)
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(ROOT / name, folder / name)
    link_environment(folder)
    config = {"config": {"trussform:stage": stage}}
    write_yaml(folder / f"stacks/Pulumi.{STACK}.yaml", config)


def write_python_project(folder: Path, name: str) -> None:
    """Writes the project file of a program in Python."""
    python = {"name": "python", "options": {"virtualenv": ".venv"}}
    write_yaml(folder / "Pulumi.yaml", {"name": name, "runtime": python})
    link_environment(folder)


def link_environment(folder: Path) -> None:
    """Gives a program the environment of this process."""
    (folder / ".venv").symlink_to(sys.prefix)


def write_chart(folder: Path, templates: Mapping[str, str]) -> None:
    """Writes a chart of Helm; the templates are plain YAML, by the names of their files."""
    (folder / "templates").mkdir(parents=True, exist_ok=True)
    write_yaml(folder / "Chart.yaml", {"apiVersion": "v2", "name": "bench", "version": "1.0.0"})
    for name, text in templates.items():
        (folder / "templates" / name).write_text(text.replace("{{", '{{ "{{" }}'))


def write_yaml(file: Path, data: Any) -> None:
    file.write_text(yaml.safe_dump(data, sort_keys=False))


@contextmanager
def namespaces(*names: str) -> Generator[None]:
    """Makes namespaces, and deletes them at the end."""
    with ExitStack() as made:
        for name in names:
            kubectl("create", "namespace", name)
            made.callback(kubectl, "delete", "namespace", name)
        yield


def moved(servers: Servers, namespace: str) -> Servers:
    """Returns the same servers in another namespace."""
    return {
        name: [
            {**each, "metadata": {**each["metadata"], "namespace": namespace}} for each in objects
        ]
        for name, objects in servers.items()
    }


def settle(namespace: str) -> None:
    """Waits until Kubernetes has done its part of a change; raises `Failed` after two minutes.

    Its controllers make a number of objects a second. Who comes after a fast tool would wait for
    what that one has left to do.
    """
    kinds = f"{KINDS},replicasets,endpointslices"

    def problem() -> str | None:
        found = json.loads(kubectl("get", kinds, "-n", namespace, "-o", "json"))
        restless = f"Kubernetes does not come to rest in the namespace {namespace}"
        return None if _is_settled(found) else restless

    wait_for(problem, seconds=120)


def _is_settled(found: Object) -> bool:
    """Returns true if all Deployments and Services have what Kubernetes makes, and none is left."""
    objects: list[Object] = found["items"]
    first = [each for each in objects if each["kind"] in {"Deployment", "Service"}]
    owners = {
        owner["uid"] for each in objects for owner in each["metadata"].get("ownerReferences", [])
    }
    seen = all(
        each["status"].get("observedGeneration") == each["metadata"]["generation"]
        for each in first
        if each["kind"] == "Deployment"
    )
    return seen and owners == {each["metadata"]["uid"] for each in first}


def delete_objects(namespace: str) -> None:
    """Deletes the objects of all servers, and does not wait for one after the other."""
    kubectl("delete", KINDS, "--all", "-n", namespace, "--wait=false")


def kubectl(*words: str) -> bytes:
    return cost(["kubectl", *words]).output


class Contender(Protocol):
    """A tool in a folder and a namespace of its own. Each operation runs once in a round."""

    name: str
    namespace: str

    def take(self, servers: Servers) -> None:
        """Writes the files of the tool for these objects; it is not timed."""
        ...

    def start(self) -> None:
        """Prepares the folder once; it is not timed."""
        ...

    def operations(self) -> Mapping[str, Callable[[], Cost]]: ...

    def end(self) -> None:
        """Removes the objects that the operations left; it is not timed."""
        ...


class Pulumi:
    """A program of Pulumi, with its state in a folder, or at the URL of a service."""

    namespace = NAMESPACE

    def __init__(self, name: str, folder: Path, service: str = "", **env: str) -> None:
        self.name, self.folder = name, folder
        (folder / "state").mkdir(parents=True)
        self.env = {**Engine(folder, service).environment, **env}

    def take(self, servers: Servers) -> None:
        """Trussform reads the project itself."""

    def pulumi(self, *words: str) -> Cost:
        return cost(["pulumi", *words, "--non-interactive", "--stack", STACK],
                    self.folder, self.env)  # fmt: skip

    def start(self) -> None:
        cost(["pulumi", "stack", "init", STACK, "--non-interactive"], self.folder, self.env)
        shutil.copytree(self.folder / "state", self.folder / "empty-state")

    def up(self) -> Cost:
        return self.pulumi("up", "--yes", "--skip-preview")

    def destroy(self) -> Cost:
        return self.pulumi("destroy", "--yes", "--skip-preview")

    def operations(self) -> Mapping[str, Callable[[], Cost]]:
        return {
            "preview": lambda: self.pulumi("preview"),
            "up": self.up,
            "preview without changes": lambda: self.pulumi("preview", "--expect-no-changes"),
            "up with one edit": self.up,
            "refresh": lambda: self.pulumi("refresh", "--yes", "--skip-preview"),
            "destroy": self.destroy,
        }

    def end(self) -> None:
        delete_objects(self.namespace)
        shutil.rmtree(self.folder / "state")
        shutil.copytree(self.folder / "empty-state", self.folder / "state")

    def state(self) -> Path:
        return self.folder / f"state/.pulumi/stacks/{project_name(self.folder)}/{STACK}.json"


def project_name(folder: Path) -> str:
    return yaml.safe_load((folder / "Pulumi.yaml").read_text())["name"]


class ByHand(Pulumi):
    """A program with the same objects: `component` has one component a server, `flat` none."""

    def __init__(self, name: str, folder: Path, program: str, **env: str) -> None:
        # As in the Pulumi.yaml of Trussform.
        super().__init__(name, folder, PULUMI_K8S_UPSERT_EXISTING_OBJECTS="true", **env)
        self.namespace = f"{NAMESPACE}-{program}"
        shutil.copy(PROGRAMS / "by_hand.py", folder)
        shutil.copy(PROGRAMS / f"{program}.py", folder / "__main__.py")
        write_python_project(folder, program)

    def take(self, servers: Servers) -> None:
        (self.folder / "objects.json").write_text(json.dumps(servers))


class Terraform:
    """The objects as `kubernetes_manifest`; the provider's typed Deployment lacks two fields."""

    name = "Terraform"
    namespace = f"{NAMESPACE}-terraform"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)

    def take(self, servers: Servers) -> None:
        every = (each for objects in servers.values() for each in objects)
        manifests = {
            f"{each['metadata']['name']}-{each['kind'].lower()}": {"manifest": each}
            for each in every
        }
        # Terraform reads `${` and `%{` as its own; a doubled sign is a plain one.
        text = json.dumps(manifests).replace("${", "$${").replace("%{", "%%{")
        module = {
            "terraform": {"required_providers": {"kubernetes": {"source": "hashicorp/kubernetes"}}},
            "provider": {"kubernetes": {"config_path": os.environ["KUBECONFIG"]}},
            "resource": {"kubernetes_manifest": json.loads(text)},
        }
        (self.folder / "main.tf.json").write_text(json.dumps(module))

    def start(self) -> None:
        cost(["terraform", "init", "-input=false"], self.folder)

    def terraform(self, *words: str) -> Cost:
        return cost(["terraform", *words, "-input=false", "-no-color"], self.folder)

    def apply(self, *words: str) -> Cost:
        return self.terraform("apply", "-auto-approve", *words)

    def operations(self) -> Mapping[str, Callable[[], Cost]]:
        return {
            "preview": lambda: self.terraform("plan"),
            "up": self.apply,
            "preview without changes": lambda: self.terraform("plan", "-detailed-exitcode"),
            "up with one edit": self.apply,
            "refresh": lambda: self.apply("-refresh-only"),
            "destroy": lambda: self.apply("-destroy"),
        }

    def end(self) -> None:
        delete_objects(self.namespace)
        (self.folder / "terraform.tfstate").unlink()


class Helm:
    """A chart with the objects as its templates."""

    name = "Helm"
    namespace = f"{NAMESPACE}-helm"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self, servers: Servers) -> None:
        templates = {f"{name}.yaml": yaml.safe_dump_all(made) for name, made in servers.items()}
        write_chart(self.folder, templates)

    def start(self) -> None:
        pass

    def helm(self, *words: str) -> Cost:
        return cost(["helm", *words, "--namespace", self.namespace], self.folder)

    def operations(self) -> Mapping[str, Callable[[], Cost]]:
        upgrade = ("upgrade", "bench", ".", "--install")
        return {
            "preview": lambda: self.helm("template", "bench", "."),
            "up": lambda: self.helm(*upgrade),
            "up with one edit": lambda: self.helm(*upgrade),
            "destroy": lambda: self.helm("uninstall", "bench", "--wait"),
        }

    def end(self) -> None:
        """`destroy` has left none."""


class Kubectl:
    """The objects as one file: the least that any tool has to do."""

    name = "kubectl"
    namespace = f"{NAMESPACE}-kubectl"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)

    def take(self, servers: Servers) -> None:
        every = [each for objects in servers.values() for each in objects]
        text = yaml.dump_all(every, Dumper=yaml.CSafeDumper)
        (self.folder / "objects.yaml").write_text(text)

    def start(self) -> None:
        pass

    def kubectl(self, *words: str) -> Cost:
        return cost(["kubectl", *words, "-f", "objects.yaml"], self.folder)

    def operations(self) -> Mapping[str, Callable[[], Cost]]:
        apply = ("apply", "--server-side")
        return {
            "up": lambda: self.kubectl(*apply),
            "up with one edit": lambda: self.kubectl(*apply),
            "destroy": lambda: self.kubectl("delete"),
        }

    def end(self) -> None:
        delete_objects(self.namespace)
