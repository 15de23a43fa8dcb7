"""Servers that need no build, and images for them."""

import os
import subprocess
from pathlib import Path
from typing import Any

from support.cluster import cluster


def small(**config: Any) -> dict[str, Any]:
    """A server that needs no build and no secret."""
    return {"path": "servers/small", "config": {"secrets": None, **config}}


def push(tag: str, content: str, folder: Path) -> None:
    """Make the tag point at a new image."""
    lines = [f"FROM {cluster().images.python}", f"RUN echo {content} > /content"]
    (folder / "Dockerfile").write_text("\n".join(lines) + "\n")
    variables = {**os.environ, "DOCKER_BUILDKIT": "0"}
    for command in (["build", "--quiet", "--tag", tag, str(folder)], ["push", "--quiet", tag]):
        subprocess.run(["docker", *command], check=True, capture_output=True, env=variables)
