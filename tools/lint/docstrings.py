"""`make lint`: fails for each docstring that begins with a clause in place of a sentence."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("components", "tests", "tools", "examples")
SERVERS = ("tests/cluster/servers", "tests/cluster/real_clients")
"""Programs of other people's, or that run in other people's images."""
CLAUSE = re.compile(r"(What|Whether|Who|Where|How|Which)\b")


def main() -> None:
    found = [line for file in files() for line in clauses(file)]
    print("\n".join(found))
    if found:
        sys.exit(
            f"{len(found)} docstrings begin with a clause; write what the code returns or does"
        )


def files() -> Iterator[Path]:
    yield ROOT / "__main__.py"
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            if not file.relative_to(ROOT).as_posix().startswith(SERVERS):
                yield file


def clauses(file: Path) -> Iterator[str]:
    """Yields `file:line: first line` for each such docstring, those of fields among them."""
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.Expr(ast.Constant(str(text))) if CLAUSE.match(text):
                yield f"{file.relative_to(ROOT)}:{node.lineno}: {text.splitlines()[0]}"
            case _:
                pass


if __name__ == "__main__":
    main()
