"""The command of the container, with the meaning that Truss gives `start_command`."""

import re
import shlex
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import NamedTuple

from trussform.config import Config
from trussform.config.config import masked
from trussform.problem import Finding

_SHELLS = ("sh", "ash", "bash", "dash", "zsh")
_WRAPPERS = ("env", "nice", "nohup", "setsid", "stdbuf", "time", "timeout")
_PLAIN = re.compile(r"""[^\\'"#\n]+""")
_SHELL_SYNTAX = re.compile(r"[|&;<>`]|\$[\w({]")


class Command(NamedTuple):
    argv: tuple[str, ...]
    """The container's command; empty: the image's own entrypoint runs."""
    shell: bool
    """Whether a shell is the first process: it passes no SIGTERM on."""
    why: str

    def __str__(self) -> str:
        return shlex.join(self.argv) if self.argv else "the image's own"


def command(config: Config) -> tuple[Command, list[Finding]]:
    server = config.docker_server
    if server.start_command is None:
        return Command((), False, "no_build without start_command runs the image as it is"), []
    if server.no_build:
        why = "Truss runs the command of a no_build server by `sh -c`"
        return Command(("sh", "-c", server.start_command), True, why), []
    # Supervisor, which runs the command in Truss, reads `%%` as `%`.
    text = _joined(server.start_command).replace("%%", "%")
    try:
        argv = tuple(shlex.split(text))
    except ValueError as error:
        return _refused(f"not a command: {str(error).lower()}", "close the quotes")
    if not argv:
        return _refused("the command is empty", "write the command that starts the server")
    outside = "".join(_unquoted(text))
    if found := _SHELL_SYNTAX.search(outside):
        return _refused(
            f"`{found.group()}` is for a shell, and Truss runs this command without one",
            f"write sh -c {shlex.quote(masked(text))}",
        )
    if "%(" in text:
        return _refused("`%(` is for Supervisor, which does not run here", "write the value itself")
    if "=" in argv[0]:
        return _refused(
            f"`{argv[0].partition('=')[0]}=…` in front of a command is for a shell",
            f"use environment_variables, or write sh -c {shlex.quote(masked(text))}",
        )
    shell = _program(argv) in _SHELLS
    why = "split as a shell would, run without one"
    if shell:
        why += "; it starts a shell itself, which passes no SIGTERM on, so preStop does"
    return Command(argv, shell, why), []


def _program(argv: tuple[str, ...]) -> str:
    """The name of what runs in the end: `env A=1 sh -c …` is `sh`, and so is a script."""
    names = [PurePosixPath(word).name for word in argv]
    if names[0] in _WRAPPERS:
        return next((name for name in names if name in _SHELLS), names[0])
    return "sh" if names[0].endswith(".sh") else names[0]


def _refused(message: str, help: str) -> tuple[Command, list[Finding]]:
    finding = Finding("config", ("docker_server", "start_command"), message, help)
    return Command((), False, message), [finding]


def _marked(text: str) -> Iterator[tuple[str, str]]:
    """The text in pieces, each with the quote it stands in: `'`, `"` or none.

    A piece is a quote, an escape, a `#`, the end of a line, or what lies between those.
    """
    quote = ""
    i = 0
    while i < len(text):
        if plain := _PLAIN.match(text, i):
            yield plain.group(), quote
            i = plain.end()
            continue
        step = 2 if text[i] == "\\" and quote != "'" else 1
        piece = text[i : i + step]
        if piece in ("'", '"') and quote in ("", piece):
            quote = "" if quote else piece
            yield piece, piece
        else:
            yield piece, quote
        i += step


def _joined(text: str) -> str:
    """The text as a shell reads it: without backslash-newlines and comments."""
    kept = ""
    comment = False
    for piece, quote in _marked(text.replace("\r\n", "\n")):
        starts = piece == "#" and not quote and (not kept or kept[-1].isspace())
        comment = piece != "\n" and (comment or starts)
        if not comment and (piece != "\\\n" or quote == "'"):
            kept += piece
    return kept


def _unquoted(text: str) -> Iterator[str]:
    return (piece for piece, quote in _marked(text) if not quote and piece[0] != "\\")
