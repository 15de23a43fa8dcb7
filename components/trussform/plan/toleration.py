"""A taint that the pod tolerates."""

from typing import Literal, NamedTuple

from trussform import stage

Effect = Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class Toleration(NamedTuple):
    """One toleration of the pod."""

    key: str | None
    """None: every key."""
    value: str | None = None
    """None: any value (`operator: Exists`)."""
    effect: Effect | None = "NoSchedule"
    """None: every effect."""
    seconds: int | None = None
    """`tolerationSeconds`; None: no limit."""

    @classmethod
    def of(cls, given: stage.Toleration) -> "Toleration":
        """Returns a toleration of the stage."""
        value = None if given.operator == "Exists" else given.value
        return cls(given.key, value, given.effect, given.toleration_seconds)

    def __str__(self) -> str:
        taint = self.key or "every taint"
        taint += "" if self.value is None else f"={self.value}"
        return f"{taint}:{self.effect}" if self.effect else taint
