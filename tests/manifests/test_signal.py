"""The hook that passes SIGTERM on, run by a real shell as process 1 of a real PID namespace."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from trussform.cli.render import objects
from trussform.plan import Plan

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="needs Linux, root and unshare, for a PID namespace",
)

SERVER = """
import signal, sys, time
def stop(*_):
    print("drained", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
time.sleep(60)
"""


def hook(plan: Callable[..., Plan], command: str) -> list[str]:
    made = plan({"docker_server": {"start_command": command}})
    container = objects(made)[0]["spec"]["template"]["spec"]["containers"][0]
    return container["lifecycle"]["preStop"]["exec"]["command"]


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize("script", ["A=1 {server}", "{server}; echo done", "exec {server}"])
def test_a_server_behind_a_shell_gets_sigterm(
    plan: Callable[..., Plan], tmp_path: Path, shell: str, script: str
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "server.py").write_text(SERVER)
    server = script.format(server=f"{sys.executable} {tmp_path}/server.py")
    namespace = subprocess.Popen(
        ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", shell, "-c", server],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert namespace.stdout is not None
    assert namespace.stdout.readline() == "ready\n"
    inside = int(Path(f"/proc/{namespace.pid}/task/{namespace.pid}/children").read_text())
    enter = ["nsenter", "--target", str(inside), "--pid", "--mount"]
    (tmp_path / "sleep").symlink_to("/bin/true")
    path = f"{tmp_path}:{os.environ['PATH']}"
    # Where process 1 ends at once, the hook ends with it, and is none the worse.
    command = [*enter, *hook(plan, f"{shell} -c x")]
    subprocess.run(command, check=False, timeout=30, env={"PATH": path})
    # What the kubelet does next: the shell ignores it, a server in its place does not.
    subprocess.run(["kill", "-TERM", str(inside)], check=False)
    assert "drained" in namespace.communicate(timeout=30)[0]
