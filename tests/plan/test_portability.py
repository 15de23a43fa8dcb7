"""Notes on what runs and yet bites."""

from typing import Any

import pytest
from support.workspace import Workspace


def command(text: str, **server: Any) -> dict[str, Any]:
    return {"docker_server": {"start_command": text, **server}}


def gpus(accelerator: str, text: str) -> dict[str, Any]:
    return {"resources": {"accelerator": accelerator, "memory": "100Gi"}, **command(text)}


def notes(workspace: Workspace, config: dict[str, Any]) -> list[tuple[str, str]]:
    _, problems = workspace.plan(config)
    assert {problem.level for problem in problems} <= {"warning"}
    return [(problem.field, f"{problem.message}; {problem.fix}") for problem in problems]


@pytest.mark.parametrize(
    ("config", "field", "said"),
    [
        (
            {"base_image": {"image": "server"}},
            "base_image.image",
            "`latest` can point to another image",
        ),
        ({"base_image": {"image": "server:nightly"}}, "base_image.image", "`nightly`"),
        ({"base_image": {"image": "server:cuda-latest"}}, "base_image.image", "`cuda-latest`"),
        (command("serve", server_port=8080), "docker_server.server_port", "is reserved on Baseten"),
        (
            command("serve", predict_endpoint="/v1/websocket"),
            "docker_server.predict_endpoint",
            "is reserved on Baseten",
        ),
        (command("serve --port=8001"), "docker_server.server_port", "sets port 8001"),
        (command("sh -c 'serve --port 8001'"), "docker_server.server_port", "sets port 8001"),
        (
            command("sh -c 'serve --port \\\n 8001'", no_build=True),
            "docker_server.server_port",
            "sets port 8001",
        ),
        (gpus("H100:4", "serve --tp 8"), "resources.accelerator", "needs 8 GPUs"),
        (gpus("H100:4", "serve --tp=2"), "resources.accelerator", "requests 4"),
        (gpus("H100:4", "serve --tp=1"), "resources.accelerator", "needs 1 GPU,"),
        (gpus("H100:2", "sh -c 'serve -tp 2 -pp 2'"), "resources.accelerator", "needs 4 GPUs"),
        (command("serve --tensor-parallel-size 2"), "resources.accelerator", "requests 0"),
        (
            {**gpus("L4", "serve"), "environment_variables": {"CUDA_VISIBLE_DEVICES": "1"}},
            "environment_variables.CUDA_VISIBLE_DEVICES",
            "remove it",
        ),
        (command("vllm serve m"), "runtime.predict_concurrency", "one request at a time"),
        ({"python_version": "py311"}, "python_version", "no effect"),
        (
            {"docker_server": {"no_build": True, "run_as_user_id": 1, "start_command": None}},
            "docker_server.run_as_user_id",
            "write to /app",
        ),
    ],
)
def test_a_config_that_behaves_differently_elsewhere_gets_a_remark(
    workspace: Workspace, config: dict[str, Any], field: str, said: str
) -> None:
    found = [text for at, text in notes(workspace, config) if at == field]
    assert [text for text in found if said in text] != []


@pytest.mark.parametrize(
    "config",
    [
        {"base_image": {"image": "server:nightly-20260126-48f4340b"}},
        {"base_image": {"image": f"server:latest@sha256:{'0' * 64}"}},
        command("serve --port 8000 --host 0.0.0.0"),
        command("sh -c 'front --port 8000 & back --port 9000'"),
        gpus("H100:8", "serve --tensor-parallel-size 4 --pipeline-parallel-size 2"),
        gpus("H100:8", "sh -c 'serve --tensor-parallel-size $GPU_COUNT'"),
        gpus("H100:8", "serve"),
        {**command("vllm serve m"), "runtime": {"predict_concurrency": 64}},
        {"python_version": "py311", "base_image": None},
        command("serve", no_build=True, run_as_user_id=1),
    ],
)
def test_what_does_not_bite_is_not_said(workspace: Workspace, config: dict[str, Any]) -> None:
    assert notes(workspace, config) == []
