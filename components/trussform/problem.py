"""Problems of the input: what is wrong, the place in the file, and the fix."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from trussform.redact import redact

Key = str | int
FieldPath = tuple[Key, ...]
"""The path of a value in its file: `("docker_server", "server_port")`."""

File = Literal["config", "stage"]

Level = Literal["error", "blocks-deploy", "warning"]
"""`error` stops every command. `blocks-deploy` stops `pulumi up` and `check --stack`; to the other
commands it is a warning."""


class Location(NamedTuple):
    """A position in a file; line and column count from 1, and 0 means the whole file."""

    path: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}" if self.line else self.path


UNLOCATED = Location("")
"""The location of a problem before `Source.locate`."""


class Problem(NamedTuple):
    """One thing that is wrong with a field.

    A decision knows the field and not its line; `Source.locate` adds the location.
    """

    file: File | None
    """The file that the field is in; None for a file that is neither."""
    path: FieldPath
    message: str
    """A statement of what is wrong."""
    fix: str
    """An instruction, in the imperative."""
    level: Level = "error"
    location: Location = UNLOCATED

    @property
    def field(self) -> str:
        """The field's name as people write it; empty for the whole file."""
        return dotted(self.path)

    @property
    def text(self) -> str:
        """The line without its level, for a log that shows the level itself."""
        return self._line("")

    def __str__(self) -> str:
        return self._line("" if self.level == "error" else "warning: ")

    def _line(self, level: str) -> str:
        field = f"{self.field}: " if self.path else ""
        return one_line(f"{self.location}: {level}{field}{self.message}; {self.fix}")

    def as_dict(self) -> dict[str, str | int]:
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
    """The input cannot be used; `problems` has every reason."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def errors(problems: Iterable[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.level == "error"]


def as_errors(problems: Iterable[Problem]) -> list[Problem]:
    """Returns the problems that stop a deploy, each with the level `error`."""
    return [problem._replace(level="error") for problem in problems if problem.level != "warning"]


def one_line(text: str) -> str:
    """Returns the text as one line that neither colours a terminal nor shows a secret."""
    return redact(printable(text))


def printable(text: str, besides: str = "") -> str:
    """Returns the text with an escape for each character that a terminal would obey, not show.

    The characters in `besides` stay as they are.
    """
    shown = (c if c.isprintable() or c in besides else ascii(c)[1:-1] for c in text)
    return "".join(shown)


def counted(count: int, noun: str) -> str:
    """Returns a count with its noun: `1 package`, `2 packages`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def dotted(path: FieldPath) -> str:
    """Returns the field's name as people write it: `requirements[0]`, `secrets.token`."""
    name = ""
    for key in path:
        name += f"[{key}]" if isinstance(key, int) else f".{key}" if name else key
    return name
