"""What is wrong, where, and what to do: the one shape of every complaint."""

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

Key = str | int
Keys = tuple[Key, ...]
"""Where a value stands in its file: `("docker_server", "server_port")`."""

Level = Literal["error", "up", "warning"]
"""`error` stops every command; `up` stops an up, and is a warning to the others."""


_SECRET = re.compile(
    r"-----BEGIN[^`]*"
    r"|(?<=://)[^/\s:@`]+:[^/\s@`]+(?=@)"
    r"|\b(hf|r8|gsk|ghp|github_pat|dckr_pat|glpat|xox[abp]|nvapi|sk|AKIA|AIza|eyJ)"
    r"(?=[-\w.]{0,99}[0-9])[-\w.]{12,}"
    r"|(?<![-\w/.:])(?=[a-z]{0,31}[A-Z0-9])(?=[A-Z0-9]{0,31}[a-z])(?![0-9a-f]{32})\w{32,}(?![-\w/.])"
)
"""What looks like a secret; a value in the wrong place is told with the place alone."""


class Place(NamedTuple):
    """A position in a file; line and column count from 1, and 0 means the whole file."""

    path: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}" if self.line else self.path


class Problem(NamedTuple):
    """One complaint. `message` says what is wrong, `help` what to do about it."""

    place: Place
    field: str
    message: str
    help: str
    level: Level = "error"

    @property
    def text(self) -> str:
        """The line without its level, for a log that shows the level itself."""
        return self._line("")

    def __str__(self) -> str:
        return self._line("" if self.level == "error" else "warning: ")

    def _line(self, level: str) -> str:
        field = f"{self.field}: " if self.field else ""
        line = f"{self.place}: {level}{field}{self.message}; {self.help}"
        return plain(line)

    def as_dict(self) -> dict[str, str | int]:
        return {
            "path": self.place.path,
            "line": self.place.line,
            "column": self.place.column,
            "field": plain(self.field),
            "level": "error" if self.level == "error" else "warning",
            "message": plain(self.message),
            "help": plain(self.help),
        }


def plain(text: str) -> str:
    """One line that neither colours a terminal nor shows a secret."""
    return _SECRET.sub("…", printable(text))


def printable(text: str, besides: str = "") -> str:
    """The text with an escape for every character that a terminal would obey, not show."""
    shown = (c if c.isprintable() or c in besides else ascii(c)[1:-1] for c in text)
    return "".join(shown)


class Finding(NamedTuple):
    """A complaint about a field, made where nobody knows the field's line."""

    about: Literal["config", "stage"]
    keys: Keys
    message: str
    help: str
    level: Level = "error"


class Refused(Exception):
    """The input cannot be used; `problems` says why, all at once."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def errors(problems: Iterable[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.level == "error"]


def counted(count: int, noun: str) -> str:
    """Returns a number with its noun: `1 error`, `2 errors`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def shows_secret(text: str) -> bool:
    """Whether something in the text looks like a secret."""
    return _SECRET.search(text) is not None


def dotted(keys: Keys) -> str:
    """The field's name as people write it: `requirements[0]`, `secrets.token`."""
    name = ""
    for key in keys:
        name += f"[{key}]" if isinstance(key, int) else f".{key}" if name else key
    return name
