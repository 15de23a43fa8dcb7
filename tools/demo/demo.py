"""`make demo`: two examples on the stack `local`, by Pulumi or by `trussform render`."""

import shutil
import subprocess
import sys

import program
from program import ROOT

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
    reason = program.without_engine()
    if reason is None:
        shutil.rmtree(DEMO, ignore_errors=True)
        OUT.mkdir(parents=True)
        program.copy(DEMO)
        program.up(DEMO, "local")
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


if __name__ == "__main__":
    main()
