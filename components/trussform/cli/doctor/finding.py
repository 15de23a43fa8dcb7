"""One result of the doctor."""

from typing import Literal, NamedTuple

from trussform.cli.doctor.kubectl import Forbidden
from trussform.problem import one_line

Level = Literal["fine", "warning", "problem"]
"""`problem`: a deploy would fail or wait in vain. `warning`: a deploy may. `fine`: neither."""


class Finding(NamedTuple):
    """One line about one part of the cluster."""

    level: Level
    subject: str
    """The part of the cluster: "Gateway gateways/public"."""
    text: str
    """The observation."""
    fix: str = ""
    """The remedy as an imperative; empty for a fine part."""

    def __str__(self) -> str:
        fix = f"; {self.fix}" if self.fix else ""
        return one_line(f"{self.level}: {self.subject}: {self.text}{fix}")


def not_checked(subject: str, error: Forbidden) -> Finding:
    """Returns the warning for a part of the cluster that the user may not read."""
    fix = "ask for read access, or check it yourself"
    return Finding("warning", subject, f"not checked: {error}", fix)
