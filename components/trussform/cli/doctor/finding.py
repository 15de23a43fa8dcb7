"""One result of the doctor."""

from typing import Literal, NamedTuple

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
