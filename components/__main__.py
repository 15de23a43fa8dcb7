"""The component as a Pulumi plugin, for programs in other languages."""

from pulumi.provider.experimental import component_provider_host
from trussform import DockerServer

if __name__ == "__main__":
    component_provider_host(name="trussform", components=[DockerServer])
