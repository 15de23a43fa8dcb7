"""`make demo`: both examples on the stack `local`, by Pulumi or by `trussform render`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from pulumi import automation

ROOT = Path(__file__).parent.parent
DEMO = ROOT / ".demo"
OUT = ROOT / "out" / "local"
STACK = "stacks/Pulumi.local.yaml"

NEXT = """
Next, on a cluster of your own (see README.md): describe it in stacks/Pulumi.dev.yaml, then
  pulumi stack init dev
  pulumi config set --secret --path trussform:secrets.hf_access_token
  pulumi up"""


def main() -> None:
    shutil.rmtree(OUT, ignore_errors=True)
    reason = without_engine()
    if reason is None:
        print("Running `pulumi up` on the stack local …", flush=True)
        pulumi_up()
    else:
        print(
            f"No Pulumi engine ({reason}); `trussform render` makes the same objects.", flush=True
        )
        command = [sys.executable, "-m", "trussform.cli", "render", "--stack", STACK]
        subprocess.run([*command, "--out", str(OUT.relative_to(ROOT))], cwd=ROOT, check=True)
    files = sorted(path for path in OUT.rglob("*.yaml"))
    print(f"\nMade {len(files)} Kubernetes objects:")
    for file in files:
        print(f"  {file.relative_to(ROOT)}")
    print(NEXT)


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


def pulumi_up() -> None:
    """Run the program from a folder beside it: Pulumi writes into its stack files, and these
    are under version control."""
    shutil.rmtree(DEMO, ignore_errors=True)
    (DEMO / "state").mkdir(parents=True)
    OUT.mkdir(parents=True)
    (ROOT / ".trussform").mkdir(exist_ok=True)
    for name in ("Pulumi.yaml", "__main__.py", "examples", ".venv", "out", ".trussform"):
        (DEMO / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "stacks", DEMO / "stacks")
    environment = {
        "PULUMI_BACKEND_URL": f"file://{DEMO / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    options = automation.LocalWorkspaceOptions(env_vars=environment)
    stack = automation.create_stack("local", work_dir=str(DEMO), opts=options)
    try:
        stack.up(on_output=lambda line: print(line, flush=True))
    except automation.CommandError:
        sys.exit("pulumi up failed, as printed above")


if __name__ == "__main__":
    main()
