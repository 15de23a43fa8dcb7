"""The cluster that the tests use."""

from typing import TypeVar

import pytest
from testbed import settings
from testbed.settings import Settings

T = TypeVar("T")


def cluster() -> Settings:
    """Returns the settings of the cluster; skips the test if there is none."""
    if not (file := settings.file()):
        pytest.skip("no cluster: cluster.yaml does not exist (`make e2e` boots a cluster)")
    return settings.read(file)


def needed(value: T | None, name: str) -> T:
    """Returns a value of the settings; skips the test if the cluster does not have it."""
    if not value:
        pytest.skip(f"cluster.yaml has no `{name}`")
    return value
