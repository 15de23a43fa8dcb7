"""Reads from a cluster with kubectl and the user's own settings for it."""

import json
import subprocess
from typing import Any, NamedTuple

TIMEOUT = 4
"""Seconds that kubectl waits for an answer of the cluster."""


class KubectlError(Exception):
    """The cluster cannot be read; the message and the fix are one line."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message, fix)
        self.message, self.fix = message, fix


class Forbidden(Exception):
    """The user may not read a part of the cluster. The text is the cluster's answer."""


class Kubectl(NamedTuple):
    """The program, for one context of the user's kubeconfig."""

    context: str | None = None
    """None: the current context."""

    def version(self) -> tuple[int, int]:
        """Returns the version of the kube-apiserver; raises `KubectlError` without an answer."""
        done = self._run("version", "--output", "json")
        server = json.loads(done.stdout or "{}").get("serverVersion")
        if done.returncode or server is None:
            raise self._no_answer(done.stderr)
        return int(server["major"]), int("".join(filter(str.isdigit, server["minor"])))

    def get(self, *words: str) -> Any:
        """Returns the output of `kubectl get … --output json`; None if the object is missing."""
        done = self._run("get", *words, "--output", "json")
        return json.loads(done.stdout) if self._found(done) else None

    def raw(self, path: str) -> Any:
        """Returns the response of an API path; None if the path does not exist."""
        done = self._run("get", "--raw", path)
        return json.loads(done.stdout) if self._found(done) else None

    def has(self, kind: str, name: str, namespace: str | None) -> bool:
        """Returns true if an object exists. Its content stays in the cluster."""
        where = ("--namespace", namespace) if namespace else ()
        return self._found(self._run("get", kind, name, *where, "--no-headers"))

    def try_out(self, objects: list[Any], *command: str) -> list[str]:
        """Returns the lines that a server-side dry run prints as warnings and errors."""
        items = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        done = self._run(*command, "--dry-run=server", "--filename", "-", input=items)
        return [line.strip() for line in done.stderr.splitlines() if line.strip()]

    def _run(self, *words: str, input: str | None = None) -> subprocess.CompletedProcess[str]:
        context = ("--context", self.context) if self.context else ()
        command = ["kubectl", *context, f"--request-timeout={TIMEOUT}s", *words]
        try:
            return subprocess.run(command, capture_output=True, text=True, input=input, check=False)
        except FileNotFoundError:
            fix = "install it, and add it to the PATH"
            raise KubectlError("`kubectl` is not installed", fix) from None

    def _found(self, done: subprocess.CompletedProcess[str]) -> bool:
        """Returns false if the object or its kind does not exist."""
        if done.returncode == 0:
            return True
        if "(NotFound)" in done.stderr or "doesn't have a resource type" in done.stderr:
            return False
        if "(Forbidden)" in done.stderr:
            raise Forbidden(_last_line(done.stderr))
        raise self._no_answer(done.stderr)

    def _no_answer(self, stderr: str) -> KubectlError:
        """Returns the error for a cluster that cannot be read."""
        if self.context is None and self._run("config", "current-context").returncode:
            return KubectlError("no current context is set", "run: kubectl config use-context NAME")
        if self.context is not None and "does not exist" in stderr:
            message = f"the context `{self.context}` does not exist"
            return KubectlError(message, "run: kubectl config get-contexts")
        message = f"the cluster does not answer: {_last_line(stderr)}"
        return KubectlError(message, "check the kubeconfig and the network")


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["kubectl printed nothing"])[-1]
