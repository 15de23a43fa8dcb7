"""The labels of every object, and those that `model_metadata` adds to the Deployment."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from trussform.plan.given import Given
from trussform.plan.names import NamesPlan
from trussform.problem import Problem

EXAMPLE = "example_model_input"
"""The key of `model_metadata` that can be too long for an annotation; the pod's copy of the config
keeps it."""
_TAG = re.compile(r"[a-zA-Z0-9]([-_.a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")


class LabelsPlan(NamedTuple):
    """The labels of a server's objects and the annotation of its Deployment."""

    environment: str
    """The `{env}` of the URLs."""
    every: Mapping[str, str]
    """The labels of every object."""
    tags: Mapping[str, str]
    """The additional labels of the Deployment: one for each of the model's tags."""
    model_metadata: str | None
    """An annotation of the Deployment: `model_metadata` as JSON, without the example input."""
    example: Any
    """The example input of `model_metadata`; None if there is none."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in {**self.every, **self.tags}.items())


def plan_labels(given: Given, names: NamesPlan) -> LabelsPlan:
    """Decides the labels from the stage, `model_name` and `model_metadata`."""
    config, environment = given.config, given.stage.environment
    every = {
        "app.kubernetes.io/name": names.server,
        "app.kubernetes.io/managed-by": "trussform",
        "trussform/environment": environment,
    }
    if model := re.sub(r"[^-._a-zA-Z0-9]+", "-", config.model_name or "")[:63].strip("-._"):
        every["trussform/model-name"] = model
    shown = {key: value for key, value in config.model_metadata.items() if key != EXAMPLE}
    tags = shown.get("tags")
    names_of_tags = [str(tag) for tag in cast(list[Any], tags)] if isinstance(tags, list) else []
    return LabelsPlan(
        environment=environment,
        every=every,
        tags={f"tag.trussform/{tag}": "true" for tag in names_of_tags if _TAG.fullmatch(tag)},
        model_metadata=json.dumps(shown, ensure_ascii=False, default=str) if shown else None,
        example=config.model_metadata.get(EXAMPLE),
        why="the server's name, `environment` of the stage, and `model_name` and the tags of "
        "`model_metadata` of the config",
    )
