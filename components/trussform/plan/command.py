"""The command of the container, with the meaning that Truss gives `start_command`."""

import re
import shlex
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from trussform.plan.given import Given
from trussform.plan.listening import listening
from trussform.plan.servers import Server
from trussform.problem import Problem
from trussform.redact import redact_words

_PIECE = re.compile(
    r"""(?P<space>[ \t\r\n]+)|(?P<plain>[^ \t\r\n'"\\#]+)|(?P<comment>\#[^\n]*)"""
    r"""|(?P<escaped>\\.)|(?P<single>'[^']*')|(?P<double>"(?:[^"\\]|\\.)*")""",
    re.DOTALL,
)
_CONTINUED = re.compile(r"(\\[^\n])|\\\n", re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\])')
_SHELL_SYNTAX = re.compile(r"[|&;<>`]|\$[\w({]")


class CommandPlan(NamedTuple):
    argv: tuple[str, ...]
    """The container's command; empty: the image's own entrypoint runs."""
    why: str
    variables: Mapping[str, str] = MappingProxyType({})
    """Variables that its servers need, unless the config sets them."""
    servers: tuple[Server, ...] = ()
    """The known servers that it starts."""
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return shlex.join(self.argv) if self.argv else "the image's own"


def plan_command(given: Given) -> CommandPlan:
    """Decides the command: Truss's meaning of it, and a host for servers that would listen on
    127.0.0.1 alone."""
    meant = _meant_by_truss(given)
    if not meant.argv:
        return meant
    heard = listening(given.folder, meant.argv)
    why = "; ".join((meant.why, *heard.why))
    return CommandPlan(heard.argv, why, heard.variables, heard.servers, heard.problems)


def _meant_by_truss(given: Given) -> CommandPlan:
    server = given.config.docker_server
    if server.start_command is None:
        return CommandPlan((), "no_build without start_command runs the image as it is")
    if server.no_build:
        why = "Truss runs the command of a no_build server with `sh -c`"
        return CommandPlan(("sh", "-c", server.start_command), why)
    # Supervisor, which runs the command in Truss, reads `%%` as `%`.
    read = _read(server.start_command.replace("\r\n", "\n").replace("%%", "%"))
    if read is None:
        fix = "close the quote, or remove the backslash"
        return _invalid("the command has an open quote, or a backslash at its end", fix)
    argv, unquoted, text = read
    if not argv:
        return _invalid("the command is empty", "write the command that starts the server")
    if found := _SHELL_SYNTAX.search(unquoted):
        return _invalid(
            f"`{found.group()}` is shell syntax, but Truss runs this command without a shell",
            f"write sh -c {shlex.quote(redact_words(text))}",
        )
    if "%(" in text:
        return _invalid("`%(` is for Supervisor, which does not run here", "write the value itself")
    if "=" in argv[0]:
        return _invalid(
            f"`{argv[0].partition('=')[0]}=…` in front of a command is shell syntax",
            f"use environment_variables, or write sh -c {shlex.quote(redact_words(text))}",
        )
    return CommandPlan(
        argv, "Truss splits the command as a shell does, and runs it without a shell"
    )


def _invalid(message: str, fix: str) -> CommandPlan:
    problem = Problem("config", ("docker_server", "start_command"), message, fix)
    return CommandPlan((), message, problems=(problem,))


class _Read(NamedTuple):
    words: tuple[str, ...]
    """As a shell would split the text, with nothing expanded."""
    unquoted: str
    """The text in which a shell would find syntax."""
    text: str
    """The whole, without comments and continuations of lines."""


def _read(text: str) -> _Read | None:
    """Read a command; None where a quote or a backslash at its end is left open."""
    words: list[list[str]] = []
    between = True
    unquoted: list[str] = []
    kept: list[str] = []
    at = 0
    while at < len(text):
        if (piece := _PIECE.match(text, at)) is None:
            return None
        kind, written = piece.lastgroup, piece.group()
        if kind == "comment" and not between:  # As in `a#b`.
            kind, written = "plain", "#"
        at += len(written)
        if kind == "comment" or written == "\\\n":
            continue
        if kind == "double":
            written = _CONTINUED.sub(r"\1", written)
        kept.append(written)
        unquoted.append(written if kind in ("space", "plain") else " ")
        if kind != "space":
            if between:
                words.append([])
            words[-1].append(_meant(kind, written))
        between = kind == "space"
    return _Read(tuple(map("".join, words)), "".join(unquoted), "".join(kept))


def _meant(kind: str | None, written: str) -> str:
    if kind == "escaped":
        return written[1:]
    if kind == "single":
        return written[1:-1]
    return _ESCAPED.sub(r"\1", written[1:-1]) if kind == "double" else written
