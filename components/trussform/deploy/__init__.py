"""Image and manifests, registered with Pulumi: the only code that imports it."""

from trussform.deploy.docker_server import DockerServer, DockerServerArgs, Gateway, Placement
from trussform.deploy.stack import Stack, read_stack

__all__ = ["DockerServer", "DockerServerArgs", "Gateway", "Placement", "Stack", "read_stack"]
