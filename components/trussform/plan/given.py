"""The one argument of every decision."""

from collections.abc import Collection
from typing import NamedTuple

from trussform.config import Config, ConfigFolder
from trussform.plan.known_secrets import KnownSecrets
from trussform.stage import ServerStage


class Given(NamedTuple):
    """The input of every decision for one server."""

    folder: ConfigFolder
    """The config and the files beside it."""
    stage: ServerStage
    """The stage's settings for this server."""
    name: str
    """The server's name in the stage."""
    secrets: KnownSecrets
    """The secrets that the stack or the program gives."""
    platform: Collection[str]
    """The values that another stack gives at deploy time, such as `domain`."""

    @property
    def config(self) -> Config:
        """The parsed config."""
        return self.folder.config
