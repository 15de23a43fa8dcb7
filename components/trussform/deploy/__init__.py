"""Image and manifests, registered with Pulumi: the only code that imports it."""

from trussform.deploy.docker_server import DockerServer, DockerServerArgs, Gateway, Platform
from trussform.deploy.stack import Stack, read_stack
from trussform.deploy.stage_args import ServerArgs, StageArgs

__all__ = [
    "DockerServer",
    "DockerServerArgs",
    "Gateway",
    "Platform",
    "ServerArgs",
    "Stack",
    "StageArgs",
    "read_stack",
]
