"""Whole processes: their seconds, their memory, and the wait for what they leave to do."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

MODULES = """
import json, sys
from trussform.cli import main
try:
    main()
finally:
    print("", json.dumps(list(sys.modules)), sep="\\n")
"""
"""Runs a command of Trussform, and then prints the modules that it has imported."""


class Cost(NamedTuple):
    seconds: float
    megabytes: float
    """The most memory that the process itself had at once, in 10^6 bytes."""
    output: bytes


class Failed(Exception):
    """A command of a contender failed: its figures would say nothing."""


def cost(
    command: Sequence[str | Path],
    folder: Path | None = None,
    env: Mapping[str, str] | None = None,
    input: bytes | None = None,
) -> Cost:
    """Runs a command to its end; raises `Failed` with what it printed if it fails."""
    words = [str(word) for word in command]
    begun = time.perf_counter()
    with subprocess.Popen(
        words,
        cwd=folder,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        output = _output(process, input)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise Failed(f"{' '.join(words)}: {output.decode(errors='replace')}")
    return Cost(seconds, usage.ru_maxrss * 1024 / 1e6, output)


def absent(*programs: str) -> str | None:
    """Returns the message for the first program that is not on PATH; None if all are."""
    missing = (program for program in programs if shutil.which(program) is None)
    return next((f"{program} is not on PATH" for program in missing), None)


def modules(folder: Path, *words: str) -> list[str]:
    """Returns the modules that a command of Trussform has imported at its end."""
    output = cost([sys.executable, "-c", MODULES, *words], folder).output
    return json.loads(output.splitlines()[-1])


def _output(process: subprocess.Popen[bytes], input: bytes | None) -> bytes:
    """Returns the whole output without waiting for the process, whose usage is still unread."""
    if process.stdin:
        process.stdin.write(input or b"")
        process.stdin.close()
    assert process.stdout
    return process.stdout.read()


def wait_for(problem: Callable[[], str | None], seconds: float = 60) -> None:
    """Waits until there is no problem. Raises `Failed` with the last problem after `seconds`."""
    deadline = time.monotonic() + seconds
    while found := problem():
        if time.monotonic() > deadline:
            raise Failed(f"after {seconds:.0f} s: {found}")
        time.sleep(0.2)
