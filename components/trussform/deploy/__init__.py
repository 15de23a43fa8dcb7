"""Image and manifests, registered with Pulumi: the only code that imports it."""

from trussform.deploy.docker_server import DockerServer, DockerServerArgs, Gateway, Platform
from trussform.deploy.stack import Stack, read_stack

__all__ = ["DockerServer", "DockerServerArgs", "Gateway", "Platform", "Stack", "read_stack"]
