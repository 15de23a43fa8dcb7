"""Which digest stands behind an image's name, and who says so."""

from typing import Literal, NamedTuple

from trussform.image_reference import by_digest
from trussform.problem import FieldPath, Problem
from trussform.stage import Stage


class Pinned(NamedTuple):
    name: str
    """As the config or the stage writes it."""
    digest: str | None
    """Where the name itself or the lock file has it."""
    look_up: bool
    """Whether the registry is asked."""
    why: str

    @property
    def reference(self) -> str:
        """By digest where one is known, else by its tag."""
        return by_digest(self.name, self.digest) if self.digest else self.name


def pin(
    name: str, stage: Stage, about: Literal["config", "stage"], keys: FieldPath
) -> tuple[Pinned, list[Problem]]:
    """`about` and `keys`: where the image is written."""
    if "@" in name:
        return Pinned(name, name.partition("@")[2], False, "the name has the digest"), []
    if digest := stage.digests.get(name):
        why = "from the lock file; only `trussform lock` moves it"
        return Pinned(name, digest, False, why), []
    if stage.render_to is not None:
        message = f"the tag of `{name}` is not looked up, as this stage is offline"
        fix = "it is resolved to a digest on a real stage"
        problem = Problem(about, keys, message, fix, "warning")
        return Pinned(name, None, False, "offline: the tag as it is"), [problem]
    if stage.tags == "locked":
        message = f"the stage's tags are locked, and its lock file has no digest of `{name}`"
        fix = "run `trussform lock --stack STACK` and commit the lock file"
        problem = Problem(about, keys, message, fix, "blocks-deploy")
        return Pinned(name, None, False, "not locked yet"), [problem]
    why = "looked up at every up, so that a moved tag shows as a change"
    return Pinned(name, None, True, why), []
