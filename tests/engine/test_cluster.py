"""A real cluster, a real Docker daemon and a real registry, through the real engine."""

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation
from pulumi.automation import OpType
from support.programs import Cluster, Engine

CANARY = "sesame-opens-nothing-else"


def config(base: str) -> dict[str, Any]:
    return {
        "base_image": {"image": base},
        "docker_server": {
            "start_command": 'sh -c "cat /secrets/token && python3 -m http.server 8000 -d /srv"',
            "server_port": 8000,
            "predict_endpoint": "/index.html",
            "readiness_endpoint": "/",
            "liveness_endpoint": "/",
        },
        "resources": {"cpu": "10m", "memory": "64Mi"},
        "build_commands": ["mkdir -p /srv && echo built > /srv/index.html"],
        "secrets": {"token": None},
    }


def stage(cluster: Cluster, namespace: str) -> dict[str, Any]:
    unbuilt = {
        "build_commands": None,
        "secrets": None,
        "docker_server": {"start_command": "python3 -m http.server 8000"},
    }
    return {
        "environment": "dev",
        "namespace": namespace,
        "domain": "models.localhost",
        "registry": cluster.registry,
        "route": {"kind": "gateway", "name": "public", "namespace": "gateways"},
        "auth": "none",
        "request_timeout": 5,
        "deadlines": {"provisioning": 0, "pull": 60, "startup": 60},
        "servers": {
            "built": {"path": "server"},
            "unbuilt": {"path": "server", "config": unbuilt},
        },
    }


def kubectl(*arguments: str) -> Any:
    command = ["kubectl", *arguments, "--output", "json"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def resources(stack: automation.Stack) -> dict[str, Any]:
    state: Any = stack.export_stack().deployment
    return {resource["urn"].rpartition("::")[2]: resource for resource in state["resources"]}


def test_the_whole_way(engine: Engine, project: Path, cluster: Cluster) -> None:
    namespace = f"trussform-{engine.folder.name.lower().replace('_', '-')[-40:]}".rstrip("-")
    (project / "server").mkdir()
    server = project / "server" / "config.yaml"
    server.write_text(yaml.safe_dump(config(cluster.base)))
    (project / "stacks/Pulumi.test.yaml").write_text(
        yaml.safe_dump({"config": {"trussform:stage": stage(cluster, namespace)}})
    )
    stack = engine.stack("test", project)
    secret = automation.ConfigValue(CANARY, secret=True)
    stack.set_config("trussform:secrets.token", secret, path=True)
    try:
        up = stack.up()
        image = up.outputs["built"].value["image"]
        assert image.startswith(f"{cluster.registry}/built@sha256:")
        pods = kubectl("get", "pods", "--namespace", namespace)["items"]
        running = {pod["spec"]["containers"][0]["image"] for pod in pods}
        assert running == {image, up.outputs["unbuilt"].value["image"]}
        assert "@sha256:" in up.outputs["unbuilt"].value["image"]

        routes = kubectl("get", "httproutes", "--namespace", namespace)["items"]
        hosts = [host for route in routes for host in route["spec"]["hostnames"]]
        assert sorted(hosts) == ["built.models.localhost", "unbuilt.models.localhost"]

        state = json.dumps(stack.export_stack().deployment)
        assert CANARY not in state
        assert CANARY not in up.stdout
        assert set(stack.preview().change_summary) == {OpType.SAME}
        assert set(stack.refresh().summary.resource_changes or {}) == {"same"}

        server.write_text(server.read_text().replace("&& python3", "&& exec python3"))
        changed = stack.up()
        assert changed.outputs["built"].value["image"] == image
        changes: Any = changed.summary.resource_changes
        assert (set(changes), changes["update"]) == ({"same", "update"}, 1)

        secret_name = resources(stack)["built-secrets"]["id"]
        rotated = automation.ConfigValue(f"{CANARY}-2", secret=True)
        stack.set_config("trussform:secrets.token", rotated, path=True)
        stack.up()
        assert resources(stack)["built-secrets"]["id"] != secret_name
        secrets = kubectl("get", "secrets", "--namespace", namespace)["items"]
        assert len(secrets) == 1
    finally:
        stack.destroy()
    # The namespace may have been there before, for all that Pulumi knows.
    kinds = "deployments,services,secrets,httproutes"
    assert kubectl("get", kinds, "--namespace", namespace)["items"] == []
    subprocess.run(["kubectl", "delete", "namespace", namespace], check=True)
