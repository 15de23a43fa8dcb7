"""A kubectl that gives recorded answers."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

KUBECTL = """\
#!{python}
import json, sys
words = [w for w in sys.argv[1:] if not w.startswith("--request-timeout")]
if words[0] == "--context":
    words = words[2:]
if "--dry-run=server" in words:
    words = ["try", words[0]]
    sys.stdin.read()
words = [w for w in words if w not in ("--output", "json", "--no-headers")]
with open({answers!r}) as file:
    answers = json.load(file)
found = answers.get(" ".join(words))
if found is None:
    sys.exit('Error from server (NotFound): ' + " ".join(words))
if isinstance(found, str):
    sys.stderr.write(found + "\\n")
    sys.exit(1 if found.startswith(("Error", "error")) else 0)
print(json.dumps(found))
"""


def write_kubectl(folder: Path, answers: Mapping[str, Any]) -> None:
    """Writes the program into a folder, which the test adds to PATH."""
    file, program = folder / "answers.json", folder / "kubectl"
    file.write_text(json.dumps(answers))
    program.write_text(KUBECTL.format(python=sys.executable, answers=str(file)))
    program.chmod(0o755)
