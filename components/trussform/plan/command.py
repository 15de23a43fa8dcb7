"""The command of the container, read from `start_command` as Truss reads it."""

import re
import shlex
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from trussform.plan.given import Given
from trussform.plan.listen_host import listen_on_all_addresses
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
    """The command of the container and the servers that it starts."""

    argv: tuple[str, ...]
    """`command` of the container; empty: the image's own entrypoint runs."""
    why: str
    variables: Mapping[str, str] = MappingProxyType({})
    """Variables that its servers need; the config's take precedence."""
    servers: tuple[Server, ...] = ()
    """The known servers that it starts."""
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return shlex.join(self.argv) if self.argv else "the image's entrypoint"


def plan_command(given: Given) -> CommandPlan:
    """Decides the command, with a host for servers that would listen only on 127.0.0.1."""
    plan = _as_truss_reads_it(given)
    if not plan.argv:
        return plan
    host = listen_on_all_addresses(given.folder, plan.argv)
    why = "; ".join((plan.why, *host.why))
    return CommandPlan(host.argv, why, host.variables, host.servers, host.problems)


def _as_truss_reads_it(given: Given) -> CommandPlan:
    """Returns the plan with the words of `start_command`."""
    server = given.config.docker_server
    if server.start_command is None:
        return CommandPlan((), "`no_build` without `start_command` runs the image's entrypoint")
    if server.no_build:
        why = "`start_command` with `no_build` runs as `sh -c`, as in Truss"
        return CommandPlan(("sh", "-c", server.start_command), why)
    # Truss runs the command with Supervisor, which reads `%%` as `%`.
    read = _read(server.start_command.replace("\r\n", "\n").replace("%%", "%"))
    if read is None:
        fix = "close the quote, or remove the backslash"
        return _invalid("a quote is not closed, or the command ends with a backslash", fix)
    argv, unquoted, text = read
    if not argv:
        return _invalid("the command is empty", "write the command that starts the server")
    if found := _SHELL_SYNTAX.search(unquoted):
        return _invalid(
            f"`{found.group()}` needs a shell, and Truss runs this command without one",
            f"write sh -c {shlex.quote(redact_words(text))}",
        )
    if "%(" in text:
        return _invalid(
            "`%(` is Supervisor's syntax, which Trussform does not read", "write the value itself"
        )
    if "=" in argv[0]:
        return _invalid(
            f"`{argv[0].partition('=')[0]}=…` before a command needs a shell",
            f"use `environment_variables`, or write sh -c {shlex.quote(redact_words(text))}",
        )
    return CommandPlan(argv, "`start_command` of the config; Trussform adds no shell, as in Truss")


def _invalid(message: str, fix: str) -> CommandPlan:
    """Returns the plan for a command with a problem."""
    problem = Problem("config", ("docker_server", "start_command"), message, fix)
    return CommandPlan((), message, problems=(problem,))


class _Read(NamedTuple):
    """The parts of a command."""

    words: tuple[str, ...]
    """The words that a shell would split the text into, with nothing expanded."""
    unquoted: str
    """The text outside of quotes, where a shell would read its syntax."""
    text: str
    """The text without comments and line continuations."""


def _read(text: str) -> _Read | None:
    """Returns the parts of a command; None if a quote is not closed or a backslash ends it.

    `a 'b c' # d` has the words `a` and `b c`.
    """
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
            words[-1].append(_unquote(kind, written))
        between = kind == "space"
    return _Read(tuple(map("".join, words)), "".join(unquoted), "".join(kept))


def _unquote(kind: str | None, written: str) -> str:
    """Returns a piece without its quotes and backslashes."""
    if kind == "escaped":
        return written[1:]
    if kind == "single":
        return written[1:-1]
    return _ESCAPED.sub(r"\1", written[1:-1]) if kind == "double" else written
