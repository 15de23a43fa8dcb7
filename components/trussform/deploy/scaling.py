"""The hand-over of the number of replicas between Pulumi and KEDA, around an update.

At zero, Pulumi would report the success of a version that never ran. KEDA therefore starts a pod
first, and keeps it until the update ends. Before a fixed number of replicas applies, KEDA stops.
"""

import contextlib
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pulumi

from trussform.deploy import kubectl
from trussform.manifests.metadata import REPLICAS_ANNOTATION
from trussform.plan import Plan

_START = "autoscaling.keda.sh/force-activation"
_PAUSE = "autoscaling.keda.sh/paused"
_SECONDS = 120
"""Seconds until KEDA has followed an annotation."""

Args = pulumi.ResourceHookArgs


class _Target(NamedTuple):
    """A Deployment and the ScaledObject of the same name."""

    namespace: str
    name: str


def is_scaled(inputs: Mapping[str, Any] | None) -> bool:
    """Returns true if KEDA owns the number of replicas of a Deployment."""
    about: Any = (inputs or {}).get("metadata") or {}
    return REPLICAS_ANNOTATION in (about.get("annotations") or {})


def before_update(name: str, plan: Plan) -> list[pulumi.ResourceHook]:
    """Returns the hook that prepares the update of a Deployment; none if nothing can need it."""
    if plan.rollout.replicas is not None:
        return [_hook(f"{name}-pause", pause)]
    if plan.autoscaling.metric == "none":
        return []
    return [_hook(f"{name}-start", try_to_start if plan.autoscaling.minimum else start)]


def after_update(name: str, plan: Plan) -> list[pulumi.ResourceHook]:
    """Returns the hook that leaves a started Deployment to KEDA again."""
    return [] if plan.autoscaling.metric == "none" else [_hook(f"{name}-release", release)]


def _hook(name: str, run: Callable[[Args], None]) -> pulumi.ResourceHook:
    return pulumi.ResourceHook(name, run)


def start(args: Args) -> None:
    """Lets KEDA start a pod of a Deployment at zero, and keep the last pod until `release`.

    Raises:
        RuntimeError: if the cluster cannot be asked, because then nothing may run the new version.
    """
    if _template(args.old_inputs) == _template(args.new_inputs):
        return
    target = _target(args.new_inputs)
    try:
        _deployment(args.old_outputs)
        scaled = _scaled_object(target)
        if scaled and not scaled["spec"].get("minReplicaCount"):
            _annotate(target, f"{_START}=true")
            _wait_for_pod(args.old_outputs)
    except kubectl.FAILURES as error:
        _clear(target)
        raise RuntimeError(
            f"kubectl cannot keep a pod of {target.name} running to try the new version "
            f"({_reason(error)}); let this shell's kubectl reach the cluster, or set "
            "`min_replica: 1`"
        ) from None


def try_to_start(args: Args) -> None:
    """Does the same as `start` for a server with at least one pod, which rarely is at zero."""
    try:
        start(args)
    except RuntimeError as error:
        pulumi.log.warn(str(error))


def pause(args: Args) -> None:
    """Stops KEDA, and sets the fixed number of replicas in its place.

    The number has another owner until then, and Pulumi would report a conflict.
    """
    if not is_scaled(args.old_inputs):
        return
    target, number = _target(args.new_inputs), int((args.new_inputs or {})["spec"]["replicas"])
    try:
        _deployment(args.old_outputs)
        if not _scaled_object(target):
            return
        _annotate(target, f"{_PAUSE}=true")
        _wait(target, f"scaledobject/{target.name}", "condition=Paused")
        _wait(target, f"hpa/keda-hpa-{target.name}", "delete")
        kubectl.run("scale", f"deployment/{target.name}", f"--namespace={target.namespace}",
                    f"--replicas={number}")  # fmt: skip
    except kubectl.FAILURES as error:
        _clear(target)
        raise RuntimeError(
            f"KEDA still owns the number of replicas of {target.name}, and kubectl cannot stop it "
            f"({_reason(error)}); let this shell's kubectl reach the cluster"
        ) from None


def release(args: Args | pulumi.ErrorHookArgs) -> None:
    """Takes the annotations of `start` and `pause` away, if KEDA scales the Deployment."""
    if not args.old_outputs or not args.new_inputs:  # It is created or deleted.
        return
    target = _target(args.old_outputs)
    try:
        _deployment(args.old_outputs)
        if _scaled_object(target):
            _annotate(target, f"{_START}-", f"{_PAUSE}-")
    except kubectl.FAILURES as error:
        command = f"kubectl annotate scaledobject/{target.name} -n {target.namespace}"
        pulumi.log.warn(
            f"KEDA may keep a pod of {target.name}, or not scale it ({_reason(error)}); run: "
            f"{command} {_START}- {_PAUSE}-"
        )


def _deployment(outputs: Any) -> kubectl.Object:
    """Returns the Deployment; raises `ValueError` if kubectl asks another cluster than Pulumi."""
    target = _target(outputs)
    found = kubectl.get("deployment", target.name, f"--namespace={target.namespace}")
    if found["metadata"]["uid"] != outputs["metadata"]["uid"]:
        raise ValueError("this shell's kubectl asks another cluster than Pulumi")
    return found


def _scaled_object(target: _Target) -> kubectl.Object:
    """Returns the ScaledObject; empty if there is none."""
    return kubectl.get("scaledobject.keda.sh", target.name, f"--namespace={target.namespace}",
                       "--ignore-not-found")  # fmt: skip


def _annotate(target: _Target, *annotations: str) -> None:
    kubectl.run("annotate", f"scaledobject.keda.sh/{target.name}",
                f"--namespace={target.namespace}", "--overwrite", *annotations)  # fmt: skip


def _clear(target: _Target) -> None:
    with contextlib.suppress(*kubectl.FAILURES):
        _annotate(target, f"{_START}-", f"{_PAUSE}-")


def _wait(target: _Target, subject: str, condition: str) -> None:
    kubectl.run("wait", subject, f"--namespace={target.namespace}", f"--for={condition}",
                f"--timeout={_SECONDS}s", seconds=_SECONDS)  # fmt: skip


def _wait_for_pod(outputs: Any) -> None:
    """Waits until the Deployment has a replica; raises `ValueError` if KEDA does not start one."""
    deadline = time.monotonic() + _SECONDS
    while not _deployment(outputs)["spec"].get("replicas"):
        if time.monotonic() > deadline:
            raise ValueError(f"KEDA has started no pod within {_SECONDS} s")
        time.sleep(1)


def _target(deployment: Any) -> _Target:
    about = deployment["metadata"]
    return _Target(str(about["namespace"]), str(about["name"]))


def _template(inputs: Mapping[str, Any] | None) -> Any:
    spec: Any = (inputs or {}).get("spec") or {}
    return spec.get("template")


def _reason(error: Exception) -> str:
    """Returns the last line of the error that kubectl printed."""
    text = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
    return (str(text).strip().splitlines() or ["no answer"])[-1]
