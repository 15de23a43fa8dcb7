"""Truss `config.yaml` files, deployed on your own Kubernetes with Pulumi.

`DockerServer` is the component; everything else works without Pulumi.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trussform.deploy import DockerServer, DockerServerArgs, Gateway, Platform

    __version__: str
    """The version of the installed package."""

__all__ = ["DockerServer", "DockerServerArgs", "Gateway", "Platform", "__version__"]


def __getattr__(name: str) -> Any:
    """Imports Pulumi only where the component is asked for, and metadata only for the version."""
    if name == "__version__":
        from importlib.metadata import version

        return version("trussform")
    if name in __all__:
        from trussform import deploy

        return getattr(deploy, name)
    raise AttributeError(f"module 'trussform' has no attribute '{name}'")
