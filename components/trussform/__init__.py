"""Truss `config.yaml` files, deployed on your own Kubernetes with Pulumi.

`DockerServer` is the component; everything else works without Pulumi.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trussform.deploy import DockerServer, DockerServerArgs, Placement

__all__ = ["DockerServer", "DockerServerArgs", "Placement"]


def __getattr__(name: str) -> Any:
    """Import Pulumi only where the component is asked for."""
    if name in __all__:
        from trussform import deploy

        return getattr(deploy, name)
    raise AttributeError(f"module 'trussform' has no attribute '{name}'")
