"""The policy pack with the real engine: what it lets through, and what stops a preview."""

import json
import sys
from pathlib import Path

import pytest
import yaml
from pulumi import automation
from pulumi.automation import CommandError, OpType
from support.programs import Engine
from support.reliability import record

IMAGE = "registry.example.com/server@sha256:" + "d" * 64

CHANGED = """
import pulumi_kubernetes as kubernetes

def transform(args):
    kind, props = args.type_.rpartition(":")[2], args.props
    {body}
    return pulumi.ResourceTransformResult(props, args.opts)


pulumi.runtime.register_resource_transform(transform)
kubernetes.apps.v1.Deployment(
    "another",
    metadata={{"labels": {{"app.kubernetes.io/managed-by": "{managed_by}"}}}},
    spec={{"template": {{"spec": {{"containers": [{{"name": "nginx", "image": "nginx"}}]}}}}}},
    opts=stack.opts,
)
"""

WITH_AUTH = """
    if kind == "HTTPRoute":
        props["metadata"]["labels"]["trussform/auth"] = "api-key"
"""

BROKEN = """
    if kind == "Deployment" and args.name == "llama-deployment":
        server = props["spec"]["template"]["spec"]["containers"][0]
        del server["livenessProbe"], server["resources"]
        server["image"] = "vllm/vllm-openai:latest"
        server["env"].append({"name": "URL", "value": "redis://user:canary@host"})
        del props["metadata"]["labels"]
"""

NOT_KNOWN_YET = """
    if kind == "Deployment" and args.name == "llama-deployment":
        unknown = pulumi.runtime.rpc.UNKNOWN if pulumi.runtime.is_dry_run() else "nginx"
        props["spec"]["template"]["spec"]["containers"][0]["image"] = unknown
"""

DEPLOYMENT = "kubernetes:apps/v1:Deployment: llama-deployment"
VIOLATIONS = [
    (
        f"images-by-digest  ({DEPLOYMENT})",
        "container `server` runs vllm/vllm-openai:latest, which has no valid digest; run "
        "`trussform lock`, or give the server `image: repository@sha256:…` in the stage",
    ),
    (
        "images-by-digest  (kubernetes:apps/v1:Deployment: another)",
        "container `nginx` runs nginx, which has no valid digest; run ",
    ),
    (
        f"three-probes  ({DEPLOYMENT})",
        "container `server` has no livenessProbe; remove the transform that deletes it, and "
        "set its thresholds in `runtime.health_checks` of the config",
    ),
    (
        f"gpu-and-memory  ({DEPLOYMENT})",
        "container `server` requests no memory; add `resources.memory` to the config",
    ),
    (
        f"gpu-and-memory  ({DEPLOYMENT})",
        "the pod may run on nodes with GPUs (nvidia.com/gpu.product, nvidia.com/gpu), but no "
        "container has a limit for a GPU; add `resources.accelerator` to the config",
    ),
    (
        f"no-secret-in-environment  ({DEPLOYMENT})",
        "container `server`: URL looks like a secret; declare it under the config's `secrets`, "
        "and read it from /secrets",
    ),
    (
        "routes-with-auth  (kubernetes:gateway.networking.k8s.io/v1:HTTPRoute: llama-httproute)",
        "the route has no auth; set the stage's `auth`. If every caller of the gateway may use "
        "the route, set `allowUnauthenticatedRoutes` in the pack's configuration",
    ),
]


@pytest.fixture
def stack(engine: Engine, project: Path) -> automation.Stack:
    """Stack `local` with one server by digest, and the pack beside it."""
    (project / "examples/policy-pack/.venv").symlink_to(sys.prefix)
    file = project / "stacks/Pulumi.local.yaml"
    settings = yaml.safe_load(file.read_text())
    servers = settings["config"]["trussform:stage"]["servers"]
    del servers["embeddings"]
    servers["llama"]["image"] = IMAGE
    file.write_text(yaml.safe_dump(settings))
    return engine.stack("local", project)


@pytest.fixture
def pack(project: Path) -> list[str]:
    return [str(project / "examples/policy-pack")]


def change(project: Path, body: str, managed_by: str = "somebody-else") -> None:
    """Have the program change what Trussform makes, and make a Deployment of its own."""
    program = project / "__main__.py"
    before = "for name, args in"
    made, loop, rest = program.read_text().partition(before)
    assert loop
    changed = CHANGED.format(body=body.strip(), managed_by=managed_by)
    program.write_text(f"{made}{changed}\n{loop}{rest}")


def test_a_good_stack_passes_with_whatever_else_is_in_it(
    project: Path, stack: automation.Stack, pack: list[str]
) -> None:
    change(project, WITH_AUTH)
    seen = stack.preview(policy_packs=pack)
    assert seen.change_summary.keys() == {OpType.CREATE}
    assert "✅ trussform@v0.1.0" in seen.stdout


def test_every_violation_stops_the_preview_and_says_what_to_do(
    project: Path, stack: automation.Stack, pack: list[str]
) -> None:
    change(project, BROKEN, managed_by="trussform")
    with pytest.raises(CommandError) as caught:
        stack.preview(policy_packs=pack)
    said = str(caught.value)
    for rule, message in VIOLATIONS:
        head, _, tail = said.partition(f"- [mandatory]  {rule}\n")
        assert head, rule
        assert message in tail
    assert "canary" not in said
    record(
        "policy-pack",
        "`pulumi preview` with the policy pack, of a stack that breaks each of its rules",
        f"stops, with {len(VIOLATIONS)} of {len(VIOLATIONS)} violations named",
    )


def test_the_packs_configuration_allows_an_open_route(
    tmp_path: Path, stack: automation.Stack, pack: list[str]
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"routes-with-auth": {"allowUnauthenticatedRoutes": True}}))
    seen = stack.preview(policy_packs=pack, policy_pack_configs=[str(config)])
    assert seen.change_summary.keys() == {OpType.CREATE}


def test_what_the_preview_does_not_know_stops_the_up(
    project: Path, stack: automation.Stack, pack: list[str]
) -> None:
    change(project, f"{WITH_AUTH.strip()}\n{NOT_KNOWN_YET}")
    seen = stack.preview(policy_packs=pack)
    assert f"- [advisory]  images-by-digest  ({DEPLOYMENT})\n" in seen.stdout
    assert "containers.0.image can't be known during preview" in seen.stdout
    with pytest.raises(CommandError) as caught:
        stack.up(policy_packs=pack)
    assert f"- [mandatory]  images-by-digest  ({DEPLOYMENT})\n" in str(caught.value)
    files = [file.name for file in (project / "out/local").rglob("*.yaml")]
    assert [name for name in files if "deployment" in name and "llama" in name] == []
