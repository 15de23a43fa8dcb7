"""This project's program, run by Pulumi from a folder beside it: Pulumi writes into stack files,
and those of the project are under version control. Run by itself, it only says whether there is
an engine."""

import os
import shutil
import sys
from pathlib import Path

from pulumi import automation

ROOT = Path(__file__).parents[2]


def without_engine() -> str | None:
    """Why there is no engine, after trying the official installer; None where there is one."""
    if shutil.which("pulumi"):
        return None
    print("Pulumi is not installed; trying its installer …", flush=True)
    try:
        command = automation.PulumiCommand.install()
    except Exception as error:
        return f"its installer failed: {' '.join(str(error).split())[:200]}"
    os.environ["PATH"] = f"{Path(command.command).parent}{os.pathsep}{os.environ['PATH']}"
    return None


def copy(folder: Path) -> None:
    """Make the folder: the stack files as copies, all else as links. State that is there stays."""
    (folder / "state").mkdir(parents=True, exist_ok=True)
    (ROOT / "out").mkdir(exist_ok=True)
    (ROOT / ".trussform").mkdir(exist_ok=True)
    for name in ("Pulumi.yaml", "__main__.py", "examples", ".venv", "out", ".trussform"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "stacks", folder / "stacks", dirs_exist_ok=True)


def up(folder: Path, name: str) -> automation.OutputMap:
    """`pulumi up`, its output shown as it comes; ends the program where it fails."""
    environment = {
        "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    options = automation.LocalWorkspaceOptions(env_vars=environment)
    try:
        stack = automation.create_or_select_stack(name, work_dir=str(folder), opts=options)
    except automation.CommandError as error:
        sys.exit(f"the stack {name} cannot be made:\n{error}")
    print(f"Running `pulumi up` on the stack {name} …", flush=True)
    try:
        return stack.up(on_output=_show, on_error=_show).outputs
    except automation.CommandError:
        sys.exit("pulumi up failed, as printed above")


def _show(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    if reason := without_engine():
        sys.exit(f"this needs the Pulumi engine: {reason}")
