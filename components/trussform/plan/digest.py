"""The digest of an image, by which the pod runs it."""

from typing import NamedTuple

from trussform.image_reference import by_digest
from trussform.plan.given import Given
from trussform.problem import FieldPath, File, Problem


class DigestPlan(NamedTuple):
    """An image and its digest, where that is known before the deploy."""

    name: str
    """The image as the config or the stage writes it."""
    digest: str | None
    """The digest; None if neither the name nor the lock file has one."""
    look_up: bool
    """True if each deploy looks the tag up in the registry."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        if self.digest is None and self.look_up:
            return "resolved at each deploy"
        return self.digest or "unknown"

    @property
    def reference(self) -> str:
        """The image by its digest if one is known, else by its tag."""
        return by_digest(self.name, self.digest) if self.digest else self.name


def plan_digest(given: Given, name: str, file: File, path: FieldPath) -> DigestPlan:
    """Decides the digest of the image `name`, which `file` has at `path`."""
    stage = given.stage
    if "@" in name:
        return DigestPlan(
            name, name.partition("@")[2], False, "the image's name includes the digest"
        )
    if digest := stage.digests.get(name):
        why = "the lock file has it; only `trussform lock` changes it"
        return DigestPlan(name, digest, False, why)
    if stage.render_to is not None:
        message = f"the tag of `{name}` is not resolved to a digest, because `render_to` is set"
        fix = "remove `render_to` from a stage that deploys"
        problem = Problem(file, path, message, fix, "warning")
        return DigestPlan(
            name,
            None,
            False,
            "the stage only renders YAML (`render_to`), so the image keeps its tag",
            (problem,),
        )
    if stage.tags == "locked":
        message = f"the stage has `tags: locked`, and its lock file has no digest for `{name}`"
        fix = "run `trussform lock --stack STACK` and commit the lock file"
        problem = Problem(file, path, message, fix, "blocks-deploy")
        return DigestPlan(
            name,
            None,
            False,
            "`tags: locked` is set, and the lock file has no digest for this image",
            (problem,),
        )
    why = "`tags: follow`: `pulumi up` looks the tag up, so a moved tag shows in the preview"
    return DigestPlan(name, None, True, why)
