"""Whose an object is."""

from collections.abc import Mapping
from typing import Any, cast

import pulumi
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict

from trussform.plan.names import kubernetes_name

FIELD_MANAGER = "pulumi.com/patchFieldManager"
"""The annotation that Pulumi's provider has the field manager's name from."""


def with_field_manager(metadata: Mapping[str, Any]) -> ObjectMetaArgsDict:
    """Returns an object's metadata with the stack as its field manager.

    Pulumi would take another random name at each creation. By one that stays, the up after a
    killed one may go on with what that has made, and the API server refuses a stack of another
    name.
    """
    stack = kubernetes_name(f"{pulumi.get_project()}/{pulumi.get_stack()}")
    annotations = {
        **metadata.get("annotations", {}),
        FIELD_MANAGER: f"pulumi-{stack}",
    }
    return cast(ObjectMetaArgsDict, {**metadata, "annotations": annotations})
