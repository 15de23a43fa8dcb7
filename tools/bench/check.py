"""`make bench FOLDER=…`: measures the check of every config below a folder.

Trussform runs as a library and as a command, and Truss loads the configs; each in processes of its
own, import included.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 7
ROOT = Path(__file__).parents[2]
DEFAULT = Path(os.environ.get("TRUSSFORM_CORPUS", ROOT.parent / "shared/corpus"))

COMMAND = """
import sys
from trussform.cli import main
sys.argv.insert(1, "check")
main()
"""
CHECK = """
import sys
from pathlib import Path
from trussform.cli import start_lean
start_lean()
from trussform import planning, stack_file
for file in map(Path, sys.argv[1:]):
    planning.plan_stack(planning.without_stage(file), [file])
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
    programs = (COMMAND, CHECK, TRUSS)
    for program in programs:
        seconds(program, files)  # Leaves the bytecode that an installed package has.
    # In turns, so that what else the machine does falls on all.
    turns = [[seconds(program, files) for program in programs] for _ in range(RUNS)]
    command, check, theirs = zip(*turns, strict=True)
    print(f"{len(files)} configs, {RUNS} runs each, import included")
    show("truss load", theirs, theirs)
    show("trussform: the check alone", check, theirs)
    show("trussform check: the whole command", command, theirs)


def seconds(program: str, files: list[str]) -> float:
    begun = time.perf_counter()
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", program, *files]
    subprocess.run(command, check=True, capture_output=True, env=env)
    return time.perf_counter() - begun


def show(name: str, times: tuple[float, ...], theirs: tuple[float, ...]) -> None:
    median = statistics.median(times)
    ratio = statistics.median(theirs) / median
    print(f"{name}: median {median:.2f} s ({min(times):.2f} to {max(times):.2f}), 1/{ratio:.1f}")


if __name__ == "__main__":
    main()
