"""An object of the cluster as a resource of Pulumi."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import pulumi

from trussform.manifests import Manifest
from trussform.plan.names import kubernetes_name

FIELD_MANAGER = "pulumi.com/patchFieldManager"
"""The annotation that Pulumi's provider has the field manager's name from."""

_VERSION = version("pulumi-kubernetes")
"""The version of the provider, which is that of its SDK."""


class KubernetesObject(pulumi.CustomResource):
    """An object of the cluster, with the stack as its field manager.

    pulumi-kubernetes has a class of each kind. To import the classes and to fill them with outputs
    that nobody reads takes a second in a stack of 60 servers.
    """

    metadata: pulumi.Output[Mapping[str, Any]]

    def __init__(self, name: str, manifest: Manifest, opts: pulumi.ResourceOptions) -> None:
        api, kind = manifest["apiVersion"], manifest["kind"]
        group = api if "/" in api else f"core/{api}"
        body = {**manifest, "metadata": _with_field_manager(manifest["metadata"])}
        versioned = pulumi.ResourceOptions(version=_VERSION)
        opts = pulumi.ResourceOptions.merge(opts, versioned)
        super().__init__(f"kubernetes:{group}:{kind}", name, body, opts)


def _with_field_manager(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
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
    return {**metadata, "annotations": annotations}
