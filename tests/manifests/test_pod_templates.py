"""Snapshots of pod templates: a change of one restarts servers at the next deploy.

A change that must restart them is accepted with
`pytest tests/manifests/test_pod_templates.py --inline-snapshot=fix`.
"""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from docs.corpus import configs
from inline_snapshot import external_file
from support.workspace import CORPUS, ROOT, STAGE, deployment, plans_of
from trussform.manifests.yaml_text import to_yaml
from trussform.plan import Plan
from trussform.problem import Location
from trussform.source import Source
from trussform.stack_file import Stack
from trussform.stage import Stage

EXAMPLES = sorted(ROOT.glob("examples/servers/*/config.yaml"))
OF_THE_CORPUS = (
    "custom-server__infinity-embedding-server",
    "custom-server__llama3-70b-instruct-lmdeploy",
    "custom-server__llama3-8b-instruct-sglang",
    "custom-server__pixtral-12b",
    "glm-ocr",
    "grpc",
    "llama-cpp-server",
    "personaplex-7b-v1",
    "python-function-call-sandbox",
    "cogito__cogito-v2-preview-deepseek-671B-MoE-vllm",
)
RESTARTS = "this change restarts servers at the next deploy; see the top of this file"


def template(config: Path) -> str:
    """Returns the pod template of a config, at a stage with a secret of its own."""
    stage = {**STAGE, "secrets": {"existing": "mine"}}
    stack = Stack(Stage.model_validate(stage), Source(stage, Location("stage")), config.parent, ())
    plans, problems = plans_of(stack, [config])
    assert plans, problems
    return to_yaml(pod_template(*plans.values()))


def pod_template(plan: Plan) -> Any:
    return deployment(plan)["spec"]["template"]


@pytest.mark.parametrize("config", EXAMPLES, ids=lambda config: config.parent.name)
def test_the_pod_template_of_an_example_is_as_it_was(config: Path) -> None:
    file = f"pod_templates/{config.parent.name}.txt"
    assert template(config) == external_file(file, format=".txt"), RESTARTS


@pytest.mark.skipif(not CORPUS, reason="there are no real configs; run `make corpus`")
def test_the_pod_templates_of_real_configs_are_as_they_were() -> None:
    found = configs()
    texts = {name: template(found[name]) for name in OF_THE_CORPUS if name in found}
    digests = [
        f"{name} {hashlib.sha256(text.encode()).hexdigest()}\n" for name, text in texts.items()
    ]
    assert "".join(digests) == external_file("pod_templates/corpus.txt", format=".txt"), RESTARTS
