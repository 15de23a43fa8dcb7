"""kubectl, with the kubeconfig of the shell that runs Pulumi."""

import json
import subprocess
from typing import Any

TIMEOUT = 20
"""Seconds that an answer of the cluster may take."""
FAILURES = (OSError, subprocess.SubprocessError, ValueError)
"""The errors of a command: no kubectl, no cluster, no right, no object, or no JSON."""

Object = dict[str, Any]


def run(*words: str, seconds: float | None = None) -> str:
    """Returns what kubectl prints; a command that waits for something gets its own time."""
    seconds = TIMEOUT if seconds is None else seconds
    command = ["kubectl", *words, f"--request-timeout={seconds}s"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=2 * seconds, errors="replace"
    )
    return done.stdout


def get(*words: str) -> Object:
    """Returns an object or a list as data; empty if `--ignore-not-found` found none."""
    return json.loads(run("get", *words, "--output=json") or "{}")
