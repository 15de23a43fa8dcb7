"""The result of every decision."""

from typing import Protocol

from trussform.problem import Problem


class Decision(Protocol):
    """A value with its reason. `str` returns the value as `trussform explain` shows it."""

    @property
    def why(self) -> str:
        """The reason, as `trussform explain` shows it."""
        ...

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The problems that the decision has found in the config or the stage."""
        ...
