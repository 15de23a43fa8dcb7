"""Programs run by the real engine, and the cluster that they may use."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pulumi import automation


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so after {seconds} s: {what}"
        time.sleep(0.2)


def engine_missing() -> str | None:
    """Returns the part of the engine that this machine lacks; None if it has all."""
    for program in ("pulumi", "pulumi-language-python"):
        if shutil.which(program) is None:
            return f"{program} is not on PATH"
    for name in ("kubernetes", "docker"):
        plugins = (Path.home() / ".pulumi/plugins").glob(f"resource-{name}-v*")
        if shutil.which(f"pulumi-resource-{name}") is None and not any(plugins):
            return f"Pulumi's {name} plugin is not installed"
    return None


@dataclass(frozen=True)
class Engine:
    """Makes stacks of the programs below `folder`; they share one backend, so that they can
    refer to each other."""

    folder: Path
    service: str = ""
    """The URL of the service that has the state; a folder has it if this is empty."""

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PULUMI_BACKEND_URL": self.service or f"file://{self.folder / 'state'}",
            "PULUMI_ACCESS_TOKEN": "none" if self.service else "",
            "PULUMI_CREDENTIALS_PATH": str(self.folder),
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }

    def stack(self, name: str, program: Path, **config: str) -> automation.Stack:
        options = automation.LocalWorkspaceOptions(
            env_vars=self.environment, secrets_provider="passphrase"
        )
        stack = automation.create_or_select_stack(name, work_dir=str(program), opts=options)
        for key, value in config.items():
            stack.set_config(key, automation.ConfigValue(value))
        return stack


@dataclass(frozen=True)
class Cluster:
    registry: str
    base: str
