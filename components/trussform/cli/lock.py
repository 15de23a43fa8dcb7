"""Tags, resolved to digests and kept in a file."""

import sys
from collections.abc import Mapping
from pathlib import Path

import requests
import yaml

from trussform.cli import registry
from trussform.plan import Plan
from trussform.problem import Location, Problem, ProblemError
from trussform.stack_file import Stack, lock_file


def lock(stack: Stack, stack_file: Path, plans: Mapping[str, Plan]) -> tuple[Path, list[str]]:
    """Write the lock file; gives its path and a line for each image.

    Raises `ProblemError` where the stage's tags are not locked or an image cannot be looked up;
    then the file stays as it was.
    """
    if stack.stage.tags != "locked":
        message = "the stage has `tags: follow`, so there is nothing to lock"
        fix = "write `tags: locked` in the stage"
        raise ProblemError([stack.source.locate(Problem("stage", ("tags",), message, fix))])
    named = [image for plan in plans.values() for image in (plan.digest, plan.fetcher.image)]
    images = sorted({image.name for image in named if image and "@" not in image.name})
    digests: dict[str, str] = {}
    problems: list[Problem] = []
    for image in images:
        print(f"looking up {image} …", file=sys.stderr, flush=True)
        try:
            digests[image] = registry.digest(image)
        except (requests.RequestException, ValueError) as error:
            message = f"the digest of `{image}` cannot be looked up: {error}"
            fix = "check the name, the network and `docker login`"
            problems.append(Problem(None, (), message, fix, location=Location(str(stack_file))))
    if problems:
        raise ProblemError(problems)
    file = lock_file(stack_file)
    head = f"# The digests of {stack_file.name}; only `trussform lock` changes them.\n"
    file.write_text(head + yaml.safe_dump({"digests": digests}))
    return file, [
        _change(image, stack.stage.digests.get(image), digests[image]) for image in images
    ]


def _change(image: str, before: str | None, now: str) -> str:
    if before is None:
        return f"{image}: {now}"
    return f"{image}: {now} ({'unchanged' if before == now else f'was {before}'})"
