"""Programs that run in the background: started once, waited for by a condition, stopped."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from testbed.places import LOG, RUN

PATH = f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin"
"""The folders of programs; some shells leave out root's."""
MARK = "TRUSSFORM_CLUSTER_PROCESS"
"""A variable in each program's environment, so that a reused process id is not mistaken."""


def say(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, flush=True)


class Failed(Exception):
    """The cluster cannot be what was asked for; the text says why, for a person."""


def run(*command: str | Path, input: str | None = None, **variables: str) -> str:
    """The output of a command that must succeed."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            input=input,
            capture_output=True,
            text=True,
            env={**os.environ, "PATH": PATH, **variables},
            check=False,
        )
    except OSError as error:
        raise Failed(f"{words[0]} cannot be run: {error.strerror}") from None
    if done.returncode != 0:
        raise Failed(f"{' '.join(words[:4])} … failed:\n{done.stdout}{done.stderr}".strip())
    return done.stdout


def succeeds(*command: str | Path, **variables: str) -> bool:
    try:
        run(*command, **variables)
    except Failed:
        return False
    return True


def start(
    name: str,
    *command: str | Path,
    ready: Callable[[], bool],
    seconds: int = 90,
    variables: Mapping[str, str] | None = None,
) -> None:
    """Start a program that is not running yet, and wait until it is ready."""
    if _pid(name) is None:
        LOG.mkdir(parents=True, exist_ok=True)
        RUN.mkdir(parents=True, exist_ok=True)
        with (LOG / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "PATH": PATH, **(variables or {}), MARK: name},
            )
        (RUN / f"{name}.pid").write_text(str(process.pid))
    began = time.monotonic()
    until(ready, f"{name} is ready", seconds, alive=name)
    say(f"{name} is ready ({time.monotonic() - began:.0f} s)")


def until(
    condition: Callable[[], bool], what: str, seconds: float, alive: str | None = None
) -> None:
    """Wait for a condition; gives up after `seconds`, or when the program `alive` has ended."""
    deadline = time.monotonic() + seconds
    while not condition():
        if alive is not None and _pid(alive) is None:
            raise Failed(f"{alive} has ended; its log says:\n{_tail(alive)}")
        if time.monotonic() > deadline:
            log = f"; the log says:\n{_tail(alive)}" if alive else ""
            raise Failed(f"not so after {seconds:.0f} s: {what}{log}")
        time.sleep(0.2)


def is_running(name: str) -> bool:
    return _pid(name) is not None


def stop(name: str, seconds: int = 30) -> None:
    """End a program, by force where it does not end in time."""
    pid = _pid(name)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        try:
            until(lambda: _pid(name) is None, f"{name} has ended", seconds)
        except Failed:
            os.kill(pid, signal.SIGKILL)
        say(f"{name} is stopped")
    (RUN / f"{name}.pid").unlink(missing_ok=True)


def _pid(name: str) -> int | None:
    """The process that was started under this name, if it lives."""
    try:
        pid = int((RUN / f"{name}.pid").read_text())
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except (OSError, ValueError):
        return None
    # While a process turns into another program its environment reads as empty.
    ours = not environment or f"{MARK}={name}".encode() in environment.split(b"\0")
    return pid if ours and state not in "ZX" else None


def _tail(name: str | None) -> str:
    try:
        return "\n".join((LOG / f"{name}.log").read_text(errors="replace").splitlines()[-15:])
    except OSError:
        return "(no log)"
