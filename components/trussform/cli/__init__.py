"""The command `trussform`."""

from trussform.cli.app import app

__all__ = ["app"]
