"""The package as a Pulumi plugin: the program `pulumi-resource-trussform`."""

import sys

from pulumi.provider import main as serve

from trussform.deploy.provider import Provider


def main() -> None:
    """Serves the component to the engine."""
    serve(Provider(), sys.argv[1:])
