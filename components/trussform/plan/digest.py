"""The digest behind an image's name."""

from typing import NamedTuple

from trussform.image_reference import by_digest
from trussform.plan.given import Given
from trussform.problem import FieldPath, File, Problem


class DigestPlan(NamedTuple):
    name: str
    """As the config or the stage writes it."""
    digest: str | None
    """None if neither the name nor the lock file has it."""
    look_up: bool
    """True if each deploy asks the registry."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return self.digest or "not known yet"

    @property
    def reference(self) -> str:
        """The image by its digest if one is known, else by its tag."""
        return by_digest(self.name, self.digest) if self.digest else self.name


def plan_digest(given: Given, name: str, file: File, path: FieldPath) -> DigestPlan:
    """Decides the digest of the image `name`, which `file` has at `path`."""
    stage = given.stage
    if "@" in name:
        return DigestPlan(name, name.partition("@")[2], False, "the name has the digest")
    if digest := stage.digests.get(name):
        why = "from the lock file; only `trussform lock` changes it"
        return DigestPlan(name, digest, False, why)
    if stage.render_to is not None:
        message = f"the digest of `{name}` is not looked up, because this stage is offline"
        fix = "nothing to do; a stage without `render_to` resolves it"
        problem = Problem(file, path, message, fix, "warning")
        return DigestPlan(name, None, False, "offline: the tag as it is", (problem,))
    if stage.tags == "locked":
        message = f"the stage has `tags: locked`, but its lock file has no digest of `{name}`"
        fix = "run `trussform lock --stack STACK` and commit the lock file"
        problem = Problem(file, path, message, fix, "blocks-deploy")
        return DigestPlan(name, None, False, "not locked yet", (problem,))
    why = "looked up at each deploy, so that a moved tag shows as a change"
    return DigestPlan(name, None, True, why)
