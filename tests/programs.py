"""Programs run by the real engine, and the cluster that they may use."""

from dataclasses import dataclass
from pathlib import Path

from pulumi import automation


@dataclass(frozen=True)
class Engine:
    """Makes stacks of the programs below `folder`; they share one backend, so that they can
    refer to each other."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }

    def stack(self, name: str, program: Path, **config: str) -> automation.Stack:
        options = automation.LocalWorkspaceOptions(env_vars=self.environment)
        stack = automation.create_or_select_stack(name, work_dir=str(program), opts=options)
        for key, value in config.items():
            stack.set_config(key, automation.ConfigValue(value))
        return stack


@dataclass(frozen=True)
class Cluster:
    registry: str
    base: str
