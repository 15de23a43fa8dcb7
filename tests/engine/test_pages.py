"""The programs of the pages, run by the real engine; it renders YAML in place of a deploy."""

import re
import shutil
import sys
from pathlib import Path

from pulumi import automation
from support.programs import Engine
from support.workspace import ROOT

PLATFORM = """
import pulumi

for name in ("namespace", "domain", "gateway", "registry"):
    pulumi.export(name, f"{name}.example.com")
"""


def program(folder: Path, name: str, text: str) -> Path:
    folder.mkdir()
    settings = f"name: {name}\nruntime: {{name: python, options: {{virtualenv: .venv}}}}\n"
    (folder / "Pulumi.yaml").write_text(settings)
    (folder / "__main__.py").write_text(text)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def of_the_page(page: str, environment: str, engine: Engine) -> Path:
    """Writes the page's program; its stage renders, and looks nothing up."""
    (text,) = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    stage = f'"environment": "{environment}",'
    assert stage in text
    offline = f'{stage} "render_to": "out", "secrets": {{"existing": "mine"}},'
    return program(engine.folder / "program", "models", text.replace(stage, offline))


def kinds(stack: automation.Stack) -> list[str]:
    state = stack.export_stack().deployment
    assert state is not None
    found = [resource["type"].rpartition(":")[2] for resource in state["resources"]]
    return sorted(kind for kind in found if kind in ("Deployment", "Service", "HTTPRoute"))


def test_the_readmes_program_deploys_its_server(engine: Engine) -> None:
    folder = of_the_page("README.md", "dev", engine)
    readme = (ROOT / "README.md").read_text()
    (config,) = re.findall(r"<<'EOF'\n(.*?)^EOF", readme, re.DOTALL | re.M)
    (folder / "hello").mkdir()
    (folder / "hello/config.yaml").write_text(config)
    stack = engine.stack("dev", folder, **{"kubernetes:renderYamlToDirectory": "out"})
    url = stack.up().outputs["predict_url"].value
    assert url == "https://hello.models.example.com/environments/dev/predict"
    assert kinds(stack) == ["Deployment", "HTTPRoute", "Service"]


def test_the_program_of_the_page_about_programs_deploys_its_server(engine: Engine) -> None:
    engine.stack("prod", program(engine.folder / "platform", "platform", PLATFORM)).up()
    folder = of_the_page("docs/in-your-program.md", "prod", engine)
    example = "vllm-llama-3.1-8b"
    shutil.copytree(ROOT / "examples/servers" / example, folder / example)
    file = folder / "__main__.py"
    rendering = 'Provider("cluster", render_yaml_to_directory="out",'
    file.write_text(file.read_text().replace('Provider("cluster",', rendering))
    stack = engine.stack("prod", folder, **{"models:platform": "organization/platform/prod"})
    stack.set_config("models:hf_access_token", automation.ConfigValue("sesame", secret=True))
    url = stack.up().outputs["predict_url"].value
    assert url == "https://llama.domain.example.com/environments/prod/predict"
    assert kinds(stack) == ["Deployment", "HTTPRoute", "Service"]
