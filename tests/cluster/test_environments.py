"""A stage and a secret from an environment of Pulumi ESC, on the cluster."""

import base64
import json
from pathlib import Path

import pytest
import yaml
from support.cluster import cluster
from support.deployed import ByPulumi, kubectl
from support.programs import engine_missing
from support.pulumi_service import pulumi_service

CANARY = "sesame-of-the-environment"


def test_a_server_gets_the_secret_of_an_environment(tmp_path: Path) -> None:
    cluster()
    if reason := engine_missing():
        pytest.skip(f"no Pulumi engine: {reason}")
    with pulumi_service() as service:
        engine = ByPulumi(tmp_path, service.url)
        server = {"path": "servers/small"}  # Its config declares the secret `token`.
        engine.project.write("esc", {"servers": {"one": server}})
        file = engine.project.file("esc")
        config = yaml.safe_load(file.read_text())["config"]
        config["trussform:secrets"] = {"token": {"fn::secret": CANARY}}
        service.environments["models/esc"] = {"values": {"pulumiConfig": config}}
        file.write_text("environment: [models/esc]\n")
        stack = engine.stack("esc")
        try:
            stack.up()
            found = json.loads(kubectl("get", "secrets", "-n", "models-esc", "--output", "json"))
            values = [base64.b64decode(one["data"]["token"]).decode() for one in found["items"]]
            assert values == [CANARY]
            assert set(stack.preview().change_summary) == {"same"}
            assert CANARY not in json.dumps(service.states)
        finally:
            stack.destroy()
