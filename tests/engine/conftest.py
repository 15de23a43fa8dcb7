"""The real engine, with its state in a folder of the test."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.cluster import cluster as cluster_settings
from support.programs import Cluster, Engine, engine_missing
from support.workspace import ROOT

PARTS = ("Pulumi.yaml", "__main__.py", "stacks", "examples")


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    if reason := engine_missing():
        pytest.skip(f"no Pulumi engine: {reason}")
    (tmp_path / "state").mkdir()
    return Engine(tmp_path)


@pytest.fixture
def project(engine: Engine) -> Path:
    """A copy of this project's program, to be changed at will."""
    folder = engine.folder / "project"
    folder.mkdir()
    for part in PARTS:
        source = ROOT / part
        copy: Callable[..., Any] = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, folder / part)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


@pytest.fixture
def cluster() -> Cluster:
    """A cluster that runs pods, a Docker daemon, and a registry that both reach."""
    found = cluster_settings()
    return Cluster(found.registry, found.images.python)
