"""The reasons why the pods of a Deployment do not become ready.

Pulumi names the state of a container; the scheduler's word, the events and the last log lines are
asked for here, by kubectl and the kubeconfig of the shell that runs Pulumi.
"""

import subprocess
from collections.abc import Iterator

import pulumi

from trussform.deploy import kubectl
from trussform.deploy.kubectl import Object
from trussform.manifests.metadata import NAME_LABEL
from trussform.problem import one_line

LOG_LINES = 15
PODS = 3
"""Pods that are shown; more would say the same."""


def show(args: pulumi.ErrorHookArgs) -> None:
    """Logs why the operation on a Deployment has failed."""
    if not args.new_inputs:  # The Deployment is being deleted.
        return
    about: Object = args.new_inputs["metadata"]
    namespace, name = str(about["namespace"]), str(about["name"])
    if lines := [one_line(line) for line in report(namespace, name)]:
        pulumi.log.error("\n".join((f"{args.name}: the pods are not ready:", *lines)))


def report(namespace: str, name: str) -> Iterator[str]:
    """Yields a line for each trouble of the pods that are not ready, and their last log lines."""
    try:
        pods = _get("pods", namespace, f"--selector={NAME_LABEL}={name}")
    except kubectl.FAILURES:
        fix = f"kubectl get pods,events --namespace {namespace}"
        yield f"kubectl cannot read the pods here; run: {fix}"
        return
    waiting = [pod for pod in pods if not _is_ready(pod)]
    waiting.sort(key=lambda pod: pod["metadata"]["creationTimestamp"], reverse=True)
    if not pods:
        yield f"the namespace {namespace} has no pod of the server"
    for pod in waiting[:PODS]:
        yield f"pod {pod['metadata']['name']}:"
        yield from (f"  {line}" for line in dict.fromkeys([*_troubles(pod), *_events(pod)]))
        yield from (f"  {line}" for line in _last_words(pod))


def _is_ready(pod: Object) -> bool:
    return any(at["type"] == "Ready" and at["status"] == "True" for at in _conditions(pod))


def _conditions(pod: Object) -> list[Object]:
    return pod["status"].get("conditions", [])


def _troubles(pod: Object) -> Iterator[str]:
    for condition in _conditions(pod):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            yield f"{condition.get('reason')}: {condition.get('message')}"
    for status in _statuses(pod):
        container = f"container {status['name']}"
        state: Object = status.get("state", {})
        last: Object = status.get("lastState", {})
        if waiting := state.get("waiting"):
            yield f"{container}: {waiting.get('reason')}: {waiting.get('message')}"
        ended: Object | None = state.get("terminated") or last.get("terminated")
        if ended and ended["exitCode"]:
            yield f"{container} ended: {ended.get('reason')}, exit code {ended['exitCode']}"


def _statuses(pod: Object) -> list[Object]:
    status = pod["status"]
    return [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]


def _events(pod: Object) -> Iterator[str]:
    about = pod["metadata"]
    chosen = f"--field-selector=type=Warning,involvedObject.name={about['name']}"
    try:
        events = _get("events", about["namespace"], chosen)
    except (subprocess.SubprocessError, ValueError):
        return
    for event in events[-5:]:
        yield f"{event.get('reason')}: {event.get('message', '').strip()}"


def _last_words(pod: Object) -> Iterator[str]:
    """Yields the log's end of the running container, else of the previous one."""
    about = pod["metadata"]
    for status in _statuses(pod):
        if status.get("ready") or not (status.get("containerID") or status.get("restartCount")):
            continue
        words = ["logs", about["name"], "-n", about["namespace"], "-c", status["name"]]
        for which in ([], ["--previous"]):
            try:
                text = kubectl.run(*words, f"--tail={LOG_LINES}", *which)
            except subprocess.SubprocessError:
                continue
            if text.strip():
                yield f"last lines of container {status['name']}:"
                yield from (f"  {line}" for line in text.splitlines())
                break


def _get(kind: str, namespace: str, chosen: str) -> list[Object]:
    return kubectl.get(kind, f"--namespace={namespace}", chosen)["items"]
