"""The servers of `servers/`, deployed once by the real engine on a real cluster."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from programs import Engine, engine_missing
from pulumi import automation
from workspace import ROOT, merged

SERVERS = Path(__file__).parent / "servers"
NAMESPACES = ("models-dev", "models-production", "models-users")
NEEDED = ("KUBECONFIG", "TRUSSFORM_TEST_REGISTRY", "TRUSSFORM_TEST_BASE", "TRUSSFORM_TEST_GATEWAY")

STAGE: dict[str, Any] = {
    "route": {"kind": "gateway", "name": "gateway", "namespace": "gateway", "scheme": "http"},
    "domain": "models.localhost",
    "auth": "none",
    "request_timeout": 20,
    "deadlines": {"provisioning": 0, "pull": 60, "startup": 60},
}


@pytest.fixture
def kubectl() -> Callable[..., str]:
    def run(*arguments: str) -> str:
        done = subprocess.run(["kubectl", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def token() -> str:
    return "a token\nof two lines"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failed test shows the events and logs of the pods."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.failed and os.environ.get("KUBECONFIG"):
        for namespace in NAMESPACES:
            for title, words in (
                ("pods", ["get", "pods", "--output", "wide"]),
                ("events", ["get", "events", "--sort-by", ".lastTimestamp"]),
                ("logs", ["logs", "--selector", "trussform/environment", "--tail", "30"]),
            ):
                command = ["kubectl", *words, "--namespace", namespace]
                shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout
                if shown:
                    report.sections.append((f"{title} in {namespace}", shown))


class Deployed:
    """Stacks of this project's program, each with servers from `servers/`."""

    def __init__(self, folder: Path) -> None:
        self.engine = Engine(folder)
        (folder / "state").mkdir()
        self.project = folder / "project"
        (self.project / "stacks").mkdir(parents=True)
        for name in ("Pulumi.yaml", "__main__.py"):
            shutil.copy(ROOT / name, self.project / name)
        shutil.copytree(SERVERS, self.project / "servers")
        (self.project / ".venv").symlink_to(sys.prefix)
        self.stacks: dict[str, automation.Stack] = {}

    def up(self, environment: str, changes: dict[str, Any]) -> automation.UpResult:
        """Write the stage and bring it up."""
        stack = self.write(environment, changes)
        return stack.up()

    def write(self, environment: str, changes: dict[str, Any]) -> automation.Stack:
        fixed = {
            "environment": environment,
            "namespace": f"models-{environment}",
            "registry": os.environ["TRUSSFORM_TEST_REGISTRY"],
        }
        stage = merged(merged(STAGE, fixed), changes)
        stage["route"] = changes.get("route", STAGE["route"])
        for server in stage["servers"].values():
            base = {"base_image": {"image": os.environ["TRUSSFORM_TEST_BASE"]}}
            server["config"] = merged(base, server.get("config", {}))
        file = self.project / f"stacks/Pulumi.{environment}.yaml"
        kept = yaml.safe_load(file.read_text()) if file.exists() else {}
        config = {**kept.get("config", {}), "trussform:stage": stage}
        file.write_text(yaml.safe_dump({**kept, "config": config}))
        if environment not in self.stacks:
            self.stacks[environment] = self.engine.stack(environment, self.project)
        return self.stacks[environment]

    def secret(self, environment: str, name: str, value: str) -> None:
        secret = automation.ConfigValue(value, secret=True)
        self.stacks[environment].set_config(f"trussform:secrets.{name}", secret, path=True)

    def destroy(self) -> None:
        for stack in self.stacks.values():
            stack.destroy()


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    missing = [name for name in NEEDED if not os.environ.get(name)]
    if missing:
        pytest.skip(f"no cluster: {', '.join(missing)} not set (`make e2e` boots one)")
    if reason := engine_missing():
        pytest.skip(f"no Pulumi engine: {reason}")
    made = Deployed(tmp_path_factory.mktemp("deployed"))
    try:
        yield made
    finally:
        made.destroy()


@pytest.fixture(scope="session")
def dev(deployed: Deployed, token: str) -> Deployed:
    """Stage dev: the echo server, on an L4, by HTTPRoute."""
    deployed.write("dev", {"servers": DEV_SERVERS})
    deployed.secret("dev", "token", token)
    deployed.up("dev", {"servers": DEV_SERVERS})
    return deployed


DEV_SERVERS: dict[str, Any] = {
    "echo": {"path": "servers/echo", "config": {"resources": {"accelerator": "L4"}}},
}


@pytest.fixture
def client() -> Iterator[Callable[..., httpx.Client]]:
    """A client of one server, through the gateway."""
    clients: list[httpx.Client] = []

    def make(server: str = "echo", environment: str = "dev") -> httpx.Client:
        made = httpx.Client(
            base_url=f"{os.environ['TRUSSFORM_TEST_GATEWAY']}/environments/{environment}",
            headers={"Host": f"{server}.models.localhost"},
            timeout=150,
        )
        clients.append(made)
        return made

    yield make
    for made in clients:
        made.close()
