"""`make bench FOLDER=…`: how long Trussform takes to check every config below a folder, and Truss
to load them; each in processes of their own, import included."""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 7
DEFAULT = Path(__file__).parent.parent.parent / "shared/corpus"

TRUSSFORM = """
import sys
from pathlib import Path
from trussform import project
for file in map(Path, sys.argv[1:]):
    project.plan_servers(project.without_stage(file), [file])
"""
TRUSS = """
import sys
from pathlib import Path
from truss.base.truss_config import TrussConfig
for file in map(Path, sys.argv[1:]):
    try:
        TrussConfig.from_yaml(file).validate_forbid_extra()
    except ValueError:
        pass
"""


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    files = sorted(map(str, folder.glob("*/config.yaml")))
    if not files:
        sys.exit(f"{folder}: no */config.yaml in it; give a folder of configs")
    for program in (TRUSSFORM, TRUSS):
        seconds(program, files)  # Leaves the bytecode that an installed package has.
    # In turns, so that what else the machine does falls on both.
    pairs = [(seconds(TRUSSFORM, files), seconds(TRUSS, files)) for _ in range(RUNS)]
    ours, theirs = zip(*pairs, strict=True)
    print(f"{len(files)} configs, {RUNS} runs each, import included")
    show("trussform check", ours)
    show("truss load", theirs)
    print(f"ratio of the medians: 1/{statistics.median(theirs) / statistics.median(ours):.1f}")


def seconds(program: str, files: list[str]) -> float:
    begun = time.perf_counter()
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", program, *files]
    subprocess.run(command, check=True, capture_output=True, env=env)
    return time.perf_counter() - begun


def show(name: str, times: tuple[float, ...]) -> None:
    low, high = min(times), max(times)
    print(f"{name}: median {statistics.median(times):.2f} s ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
