"""The component as a plugin: options and unknown values of a program in another process."""

import shutil
import sys
from typing import Any

import pytest
import yaml
from pulumi import automation
from pulumi.automation import CommandError, OpType
from support.programs import Engine
from support.workspace import CONFIG, ROOT

HEAD = """
import pulumi
import pulumi_kubernetes as kubernetes


class DockerServer(pulumi.ComponentResource):
    def __init__(self, name, more, opts):
        args = {
            "configPath": "server",
            "stage": {
                "environment": "dev",
                "renderTo": "out",
                "secrets": {"existing": "model-secrets"},
                "domain": "models.example.com",
                "route": {"kind": "gateway", "name": "public"},
                "auth": {"kind": "none"},
            },
            "predictUrl": None,
            **more,
        }
        super().__init__("trussform:index:DockerServer", name, args, opts, remote=True)


class Team(pulumi.ComponentResource):
    def __init__(self):
        super().__init__("tests:index:Team", "team")


cluster = kubernetes.Provider("cluster", render_yaml_to_directory="out")
namespace = kubernetes.core.v1.Namespace("models", opts=pulumi.ResourceOptions(provider=cluster))
platform = {"namespace": namespace.metadata["name"]}


def options(**more):
    return pulumi.ResourceOptions(providers=[cluster], **more)
"""
SERVER = """
server = DockerServer("llama", {"platform": platform}, options())
pulumi.export("url", server.predictUrl)
"""
CHILDREN = {"llama-deployment", "llama-service", "llama-httproute"}


class Program:
    """A program that uses the plugin of a checkout."""

    def __init__(self, engine: Engine) -> None:
        shutil.copytree(ROOT / "components", engine.folder / "components")
        plugin = {"runtime": {"name": "python", "options": {"virtualenv": sys.prefix}}}
        (engine.folder / "components/PulumiPlugin.yaml").write_text(yaml.safe_dump(plugin))
        self.folder = engine.folder / "program"
        (self.folder / "server").mkdir(parents=True)
        (self.folder / "server/config.yaml").write_text(yaml.safe_dump(CONFIG))
        project = {
            "name": "boundary",
            "runtime": {"name": "python", "options": {"virtualenv": sys.prefix}},
            "plugins": {"providers": [{"name": "trussform", "path": "../components"}]},
        }
        (self.folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))
        self.write(SERVER)
        self.stack = engine.stack("dev", self.folder)

    def write(self, text: str) -> None:
        (self.folder / "__main__.py").write_text(HEAD + text)

    def children(self) -> dict[str, Any]:
        """Returns the objects of the server by name, as they are in the state."""
        deployment: Any = self.stack.export_stack().deployment
        return {
            one["urn"].rpartition("::")[2]: one
            for one in deployment.get("resources", [])
            if "DockerServer$kubernetes" in one["urn"]
        }

    def preview(self) -> dict[OpType, int]:
        return dict(self.stack.preview().change_summary)


@pytest.fixture
def program(engine: Engine) -> Program:
    return Program(engine)


def test_a_value_that_is_not_known_yet(program: Program) -> None:
    """The name of the namespace gets a random end when it is created."""
    assert program.preview()[OpType.CREATE] == 7
    outputs: automation.OutputMap = program.stack.up().outputs
    assert outputs["url"].value == "https://llama.models.example.com/environments/dev/predict"
    made = program.children()
    assert made.keys() == CHILDREN
    namespaces = {child["inputs"]["metadata"]["namespace"] for child in made.values()}
    (namespace,) = namespaces
    assert namespace.startswith("models-")
    assert all("::cluster::" in child["provider"] for child in made.values())
    assert program.preview().keys() == {OpType.SAME}


def test_deletion(program: Program) -> None:
    program.stack.up()
    program.write("")
    assert program.preview()[OpType.DELETE] == 1 + len(CHILDREN)
    program.stack.up()
    assert program.children() == {}
    assert list((program.folder / "out").rglob("*llama*")) == []


def test_protect(program: Program) -> None:
    program.write(SERVER.replace("options()", "options(protect=True)"))
    program.stack.up()
    assert all(child["protect"] for child in program.children().values())
    with pytest.raises(CommandError, match="protected"):
        program.stack.destroy()
    assert program.children().keys() == CHILDREN


def test_depends_on(program: Program) -> None:
    other = 'kubernetes.core.v1.ConfigMap("{}", opts=pulumi.ResourceOptions(provider=cluster{}))'
    first = "first = " + other.format("first", "")
    last = other.format("last", ", depends_on=[server]")
    program.write(f"{first}\n{SERVER.replace('options()', 'options(depends_on=[first])')}{last}\n")
    program.stack.up()
    state: Any = program.stack.export_stack().deployment
    needs = {
        one["urn"].rpartition("::")[2]: [
            urn.rpartition("::")[2] for urn in one.get("dependencies", [])
        ]
        for one in state["resources"]
    }
    assert set(needs["llama"]) == {"first", "models"}
    assert needs["last"] == ["llama"]


def test_aliases(program: Program) -> None:
    """A server that moves into another component stays as it is."""
    program.stack.up()
    moved = "options(parent=Team(), aliases=[pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)])"
    program.write(SERVER.replace("options()", moved))
    changes = program.preview()
    assert changes.keys() <= {OpType.SAME, OpType.CREATE}
    assert changes[OpType.CREATE] == 1  # The other component.
    program.stack.up()
    urns = [child["urn"] for child in program.children().values()]
    assert len(urns) == len(CHILDREN)
    assert all("tests:index:Team$trussform:index:DockerServer$" in urn for urn in urns)


def test_transforms(program: Program) -> None:
    program.write(
        """
def label(args):
    if args.type_ == "kubernetes:apps/v1:Deployment":
        args.props["metadata"]["labels"]["team"] = "search"
    return pulumi.ResourceTransformResult(args.props, args.opts)

"""
        + SERVER.replace("options()", "options(transforms=[label])")
    )
    program.stack.up()
    made = program.children()
    labels = {
        name: child["inputs"]["metadata"]["labels"].get("team") for name, child in made.items()
    }
    assert labels == {
        "llama-deployment": "search", "llama-service": None, "llama-httproute": None
    }  # fmt: skip
