"""Truss `config.yaml` files, deployed on your own Kubernetes with Pulumi.

`DockerServer` is the component; everything else works without Pulumi.
"""

from typing import TYPE_CHECKING, Any

from trussform.version import __version__

if TYPE_CHECKING:
    from trussform.deploy import (
        DockerServer,
        DockerServerArgs,
        Gateway,
        Platform,
        ServerArgs,
        StageArgs,
    )

__all__ = [
    "DockerServer",
    "DockerServerArgs",
    "Gateway",
    "Platform",
    "ServerArgs",
    "StageArgs",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Imports Pulumi only where the component is asked for."""
    if name in __all__:
        from trussform import deploy

        return getattr(deploy, name)
    raise AttributeError(f"module 'trussform' has no attribute '{name}'")
