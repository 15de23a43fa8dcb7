"""Dockerfiles read as their reference says: directives, comments, continuations, here-documents."""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][-_a-zA-Z0-9]*)\s*=\s*(.+?)\s*")
_HERE = re.compile(r"<<-?\s*([\"']?)([a-zA-Z0-9_.]+)\1")


class Instruction(NamedTuple):
    kind: str
    options: tuple[str, ...]
    """Words like `--mount=…`."""
    rest: str

    @property
    def argv(self) -> list[str]:
        """The words of an instruction that is written as JSON."""
        return json.loads(self.rest)


def read(text: str) -> tuple[dict[str, str], list[Instruction]]:
    """The directives of a Dockerfile, and its instructions."""
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    directives: dict[str, str] = {}
    while lines and (found := _DIRECTIVE.fullmatch(lines[0])):
        directives[found[1].lower()] = found[2]
        del lines[0]
    return directives, list(_instructions(lines, directives.get("escape", "\\")))


def _instructions(lines: list[str], escape: str) -> Iterator[Instruction]:
    left = iter(lines)
    whole = ""
    for line in left:
        if line.lstrip().startswith("#") or not line.strip():
            continue
        whole += line if whole else line.lstrip()
        if whole.rstrip().endswith(escape):
            whole = whole.rstrip().removesuffix(escape)
            continue
        made = _instruction(whole)
        yield made
        whole = ""
        if made.kind in ("RUN", "COPY", "ADD") and not made.rest.startswith("["):
            for _, end in _HERE.findall(made.rest):
                for inside in left:
                    if inside.lstrip("\t") == end:
                        break
    if whole:
        yield _instruction(whole)


def _instruction(line: str) -> Instruction:
    kind, _, rest = line.partition(" ")
    options: list[str] = []
    while (rest := rest.lstrip()).startswith("--"):
        option, _, rest = rest.partition(" ")
        options.append(option)
    return Instruction(kind.upper(), tuple(options), rest)
