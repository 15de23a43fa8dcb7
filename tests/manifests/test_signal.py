"""The preStop hook, run by real shells on the processes of real PID and network namespaces."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from trussform.cli.render import objects
from trussform.plan import Plan

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="needs Linux, root and unshare, for PID and network namespaces",
)

SERVER = """
import os, signal, sys, time
def say(word):
    os.write(1, f"{word} {sys.argv[1]}\\n".encode())  # One write, as several share the pipe.
def stop(*_):
    say("told")
    time.sleep(0.2)
    say("drained")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
say("ready")
while True: signal.pause()
"""

BUSY = """
import signal, socket, sys, threading
listener = socket.create_server(("127.0.0.1", 8000))
client = socket.create_connection(("127.0.0.1", 8000))
server, _ = listener.accept()
def stop(*_):
    print("told", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
sys.stdin.readline()
print("answered", flush=True)
client.close()
server.close()
while True: signal.pause()
"""

CROWD = """
import resource, signal, socket
resource.setrlimit(resource.RLIMIT_NOFILE, (10000, 10000))
listener = socket.create_server(("127.0.0.1", 9000), backlog=4000)
held = []
for _ in range(4000):
    held += [socket.create_connection(("127.0.0.1", 9000)), listener.accept()[0]]
print("ready", flush=True)
signal.pause()
"""

QUICK = "sleep() { echo slept; /bin/sleep 0.02; }\n"
"""A shell's `sleep` that is quick and tells of itself; ash has its own, whatever is on PATH."""

SHELLS = {"dash": ["dash"], "bash": ["bash"], "ash": ["busybox", "ash"]}


def hook(plan: Callable[..., Plan], command: str, **stage: object) -> list[str]:
    made = plan({"docker_server": {"start_command": command}}, stage)
    container = objects(made)[0]["spec"]["template"]["spec"]["containers"][0]
    return container["lifecycle"]["preStop"]["exec"]["command"]


class Container:
    """A process 1 with its own processes and network, whose output is read line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []

    def read_until(self, *wanted: str) -> None:
        """Reads the output until each of the lines was seen; fails when it ends before."""
        assert self.process.stdout is not None
        while not set(wanted) <= set(self.lines):
            line = self.process.stdout.readline()
            assert line, f"ended after {self.lines}"
            self.lines.append(line.strip())

    def rest(self) -> list[str]:
        """Returns all lines of the output, when it has ended."""
        assert self.process.stdout is not None
        self.lines += [line.strip() for line in self.process.stdout]
        self.process.wait(timeout=60)
        return self.lines

    @property
    def first(self) -> int:
        """The id of its process 1, seen from outside."""
        parent = self.process.pid
        return int(Path(f"/proc/{parent}/task/{parent}/children").read_text())

    def start(self, hook: list[str], by: str = "dash") -> subprocess.Popen[str]:
        """Starts the hook in it, run by a shell."""
        enter = ["nsenter", "--target", str(self.first), "--pid", "--mount", "--net"]
        command = [*enter, *SHELLS[by], "-c", QUICK + hook[2], *hook[3:]]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def run(self, hook: list[str], by: str = "dash") -> int:
        """Runs the hook in it to its end, and returns its exit code."""
        running = self.start(hook, by)
        running.communicate(timeout=60)
        return running.returncode


@contextmanager
def container(*command: str) -> Generator[Container]:
    own = ["unshare", "--pid", "--net", "--fork", "--mount-proc", "--kill-child"]
    up = 'ip link set lo up 2>/dev/null; exec "$@"'
    process = subprocess.Popen(
        [*own, "sh", "-c", up, "up", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Container(process)
    finally:
        process.kill()
        process.communicate()


def shell(name: str) -> list[str]:
    if shutil.which(SHELLS[name][0]) is None:
        pytest.skip(f"{SHELLS[name][0]} is not installed")
    return SHELLS[name]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the servers of these tests."""
    (tmp_path / "server.py").write_text(SERVER)
    (tmp_path / "busy.py").write_text(BUSY)
    return tmp_path


def script(folder: Path, name: str, *lines: str, by: str) -> str:
    """Writes a script for the shell, and returns its path."""
    file = folder / name
    interpreter = " ".join([shutil.which(SHELLS[by][0]) or "", *SHELLS[by][1:]])
    file.write_text("\n".join([f"#!{interpreter}", *lines, ""]))
    file.chmod(0o755)
    return str(file)


def stop(made: Container, hook: list[str], by: str) -> list[str]:
    """Does what the kubelet does: the hook, then SIGTERM for process 1. Returns the output."""
    first = made.first
    made.run(hook, by)
    subprocess.run(["kill", "-TERM", str(first)], check=False, stderr=subprocess.DEVNULL)
    return made.rest()


@pytest.mark.parametrize("name", SHELLS)
@pytest.mark.parametrize(
    "text",
    [
        "A=1 {server} a",
        "{server} a; echo finished",
        "exec {server} a",
        "{server} a & wait",
        "{server} a | tee /dev/null",
        "{server} a & tail -f /dev/null; true",
        "tail -f /dev/null & {server} a; kill $!",
        "while sleep 9; do :; done & {server} a",
        "({server} a)",
        "{script}",
        "{script} & wait",
        "{deep}",
    ],
)
def test_the_server_is_told_and_ends_before_the_container_does(
    plan: Callable[..., Plan], folder: Path, name: str, text: str
) -> None:
    program = f"{sys.executable} {folder}/server.py"
    by = [*shell(name), "-c"]
    inner = script(folder, "inner.sh", f"{program} a --flag", by=name)
    outer = script(folder, "outer.sh", f'{" ".join(by)} "{inner}; true"', "exit", by=name)
    command = text.format(server=program, script=inner, deep=outer)
    with container(*by, command) as made:
        made.read_until("ready a")
        lines = stop(made, hook(plan, "sh -c x"), name)
    assert lines.count("told a") == 1
    assert [line for line in lines if line != "finished"][-1] == "drained a"
    assert ("finished" in lines) == ("finished" in command)


@pytest.mark.parametrize("name", SHELLS)
def test_a_server_beside_a_helper_as_process_1_is_told(
    plan: Callable[..., Plan], folder: Path, name: str
) -> None:
    """As `ash -c "server & tail -f log"` has it. The kernel lets nothing in it end process 1."""
    program = f"{sys.executable} {folder}/server.py"
    with container(*shell(name), "-c", f"{program} a & exec tail -f /dev/null") as made:
        made.read_until("ready a")
        made.run(hook(plan, "sh -c x"), name)
        subprocess.run(["kill", "-KILL", str(made.first)], check=True)
        assert made.rest() == ["ready a", "told a", "drained a"]


@pytest.mark.parametrize("name", SHELLS)
def test_each_of_several_servers_is_told_once(
    plan: Callable[..., Plan], folder: Path, name: str
) -> None:
    program = f"{sys.executable} {folder}/server.py"
    inner = script(folder, "inner.sh", f"{program} b &", f"{program} c &", "wait", by=name)
    with container(*shell(name), "-c", f"{program} a & {inner} & wait; echo ended") as made:
        made.read_until("ready a", "ready b", "ready c")
        lines = stop(made, hook(plan, "sh -c x"), name)
    for server in "abc":
        assert lines.count(f"told {server}") == lines.count(f"drained {server}") == 1
    assert lines[-1] == "ended"


@pytest.mark.parametrize("name", SHELLS)
def test_helpers_that_start_for_ever_do_not_keep_the_container(
    plan: Callable[..., Plan], folder: Path, name: str
) -> None:
    program = f"{sys.executable} {folder}/server.py"
    text = f"while true; do sleep 9; done & {program} a & wait; echo ended"
    with container(*shell(name), "-c", text) as made:
        made.read_until("ready a")
        lines = stop(made, hook(plan, "sh -c x"), name)
    assert lines[-2:] == ["drained a", "ended"]


@pytest.mark.parametrize("name", SHELLS)
def test_a_server_that_starts_while_the_pod_stops_is_told_too(
    plan: Callable[..., Plan], folder: Path, name: str
) -> None:
    program = f"{sys.executable} {folder}/server.py"
    with container(*shell(name), "-c", f"{program} a; {program} b; echo ended") as made:
        made.read_until("ready a")
        lines = stop(made, hook(plan, "sh -c x"), name)
    assert lines[-1] == "ended"
    assert "told a" in lines


@pytest.mark.parametrize("name", SHELLS)
def test_a_script_that_restarts_its_server_for_ever_is_ended(
    plan: Callable[..., Plan], folder: Path, name: str
) -> None:
    program = f"{sys.executable} {folder}/server.py"
    again = script(folder, "again.sh", f"while true; do {program} a; done", by=name)
    with container(*shell(name), "-c", f"{again}; echo ended") as made:
        made.read_until("ready a")
        lines = stop(made, hook(plan, "sh -c x"), name)
    assert lines[-1] == "ended"
    assert lines.count("ready a") < 9


def test_a_server_that_is_process_1_is_left_to_the_kubelet(
    plan: Callable[..., Plan], folder: Path
) -> None:
    with container(sys.executable, f"{folder}/server.py", "a") as made:
        made.read_until("ready a")
        assert made.run(hook(plan, "serve")) == 0
        subprocess.run(["kill", "-TERM", str(made.first)], check=True)
        assert made.rest().count("told a") == 1


@pytest.mark.parametrize("name", SHELLS)
def test_sigterm_waits_while_a_client_is_connected(
    plan: Callable[..., Plan], folder: Path, name: str
) -> None:
    by = shell(name)
    with container(*by, "-c", f"{sys.executable} {folder}/busy.py; true") as made:
        made.read_until("ready")
        running = made.start(hook(plan, "vllm serve m"), name)
        assert running.stdout is not None
        assert made.process.stdin is not None
        for _ in range(10):
            assert running.stdout.readline() == "slept\n"
        made.process.stdin.write("\n")
        made.process.stdin.flush()
        assert made.rest() == ["ready", "answered", "told"]
        running.communicate(timeout=60)


def test_thousands_of_other_connections_do_not_hold_up_the_hook(
    plan: Callable[..., Plan], folder: Path
) -> None:
    """The kernel walks its table anew at each seek: bash, which seeks at each line, has no end."""
    (folder / "crowd.py").write_text(CROWD)
    with container("sh", "-c", f"{sys.executable} {folder}/crowd.py; true") as made:
        made.read_until("ready")
        made.run(hook(plan, "vllm serve m"), "bash")
        assert made.rest() == ["ready"]


def test_sigterm_waits_no_longer_than_the_drain_deadline(
    plan: Callable[..., Plan], folder: Path
) -> None:
    with container("sh", "-c", f"{sys.executable} {folder}/busy.py; true") as made:
        made.read_until("ready")
        command = hook(plan, "sh -c 'vllm serve m'", deadlines={"drain": 3})
        made.run(command)
        assert made.rest() == ["ready", "told"]


def test_sigterm_does_not_wait_for_a_server_that_drains_by_itself(
    plan: Callable[..., Plan], folder: Path
) -> None:
    with container("sh", "-c", f"{sys.executable} {folder}/busy.py; true") as made:
        made.read_until("ready")
        command = hook(plan, "sh -c text-embeddings-router")
        assert command[-3:] == ["5", "0", "1F40"]
        made.run(command)
        assert made.rest() == ["ready", "told"]


def test_the_hook_of_the_pod_has_no_comments(plan: Callable[..., Plan]) -> None:
    """A changed comment would roll every pod."""
    text = hook(plan, "serve")[2]
    assert "signalled" in text
    assert not [line for line in text.splitlines() if not line.strip() or line.strip()[0] == "#"]
