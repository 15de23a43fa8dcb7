"""Problems of the input: each has a message, a fix and a location in a file."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from trussform.redact import redact

Key = str | int
FieldPath = tuple[Key, ...]
"""The path of a value in its file: `("docker_server", "server_port")`."""

File = Literal["config", "stage"]
"""The file that a field is in: a `config.yaml`, or the stage of a stack file."""

Level = Literal["error", "blocks-deploy", "warning"]
"""The effect of a problem. `error` stops every command. `blocks-deploy` stops `pulumi up` and
`check --stack`; other commands show it as a warning. `warning` stops nothing."""


class Location(NamedTuple):
    """A position in a file. Lines and columns start at 1; line 0 means the whole file."""

    path: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}" if self.line else self.path


UNLOCATED = Location("")
"""The location of a problem before `Source.locate`."""


class Problem(NamedTuple):
    """One problem of one field.

    A decision knows the field but not its line; `Source.locate` adds the location.
    """

    file: File | None
    """The file that the field is in; None for any other file."""
    path: FieldPath
    """The path of the field; empty for the whole file."""
    message: str
    """The error as a statement: "`server_port` is 99999"."""
    fix: str
    """The remedy as an imperative: "use 1 to 65535"."""
    level: Level = "error"
    location: Location = UNLOCATED
    """The position of the field in its file."""

    @property
    def field(self) -> str:
        """Returns the field's name with dots: `secrets.token`; empty for the whole file."""
        return dotted(self.path)

    @property
    def text(self) -> str:
        """Returns the line without its level, for logs that show the level themselves."""
        return self._line("")

    def __str__(self) -> str:
        """Returns `file:line:column: level: field: message; fix`."""
        return self._line("" if self.level == "error" else "warning: ")

    def _line(self, level: str) -> str:
        field = f"{self.field}: " if self.path else ""
        return one_line(f"{self.location}: {level}{field}{self.message}; {self.fix}")

    def as_dict(self) -> dict[str, str | int]:
        """Returns the problem as `check --format json` prints it."""
        return {
            "path": self.location.path,
            "line": self.location.line,
            "column": self.location.column,
            "field": one_line(self.field),
            "level": self.level,
            "message": one_line(self.message),
            "fix": one_line(self.fix),
        }


class ProblemError(Exception):
    """The error for input that cannot be used; `problems` lists every problem."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def errors(problems: Iterable[Problem]) -> list[Problem]:
    """Returns the problems that stop every command."""
    return [problem for problem in problems if problem.level == "error"]


def as_errors(problems: Iterable[Problem]) -> list[Problem]:
    """Returns the problems that stop a deploy, each with the level `error`."""
    return [problem._replace(level="error") for problem in problems if problem.level != "warning"]


def one_line(text: str) -> str:
    """Returns the text as one line without control characters and without secrets."""
    return redact(printable(text))


def printable(text: str, besides: str = "") -> str:
    """Returns the text with each control character as an escape: `\\x1b`.

    The characters in `besides` stay as they are.
    """
    escaped = (c if c.isprintable() or c in besides else ascii(c)[1:-1] for c in text)
    return "".join(escaped)


def counted(count: int, noun: str) -> str:
    """Returns a count with its noun: `1 package`, `2 packages`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def dotted(path: FieldPath) -> str:
    """Returns a path as text: `requirements[0]`, `secrets.token`."""
    name = ""
    for key in path:
        name += f"[{key}]" if isinstance(key, int) else f".{key}" if name else key
    return name
