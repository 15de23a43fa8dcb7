"""A platform team's rules for every stack that uses the component: the policies of a pack.

They judge what Trussform made: the children of a `DockerServer`, and objects with its
`managed-by` label, such as `trussform render` writes. A stack's other objects are left alone.
What a preview cannot know, such as the digest of an image that is yet to be built, is said in
the preview and judged by the up.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from trussform.manifests.auth import AUTH_LABEL
from trussform.redact import shows_secret

Object = Mapping[str, Any]
"""A Kubernetes object or a part of one; Pulumi's own kind of mapping in a pack."""

_CHILD = "trussform:index:DockerServer$"
_MANAGED_BY = "app.kubernetes.io/managed-by"
_ROUTES = ("HTTPRoute", "GRPCRoute", "Ingress")
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_BY_DIGEST = re.compile(r"[^@]+@sha256:[0-9a-f]{64}")
_GPU_NODE = re.compile(r"gpu|accelerator")
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_ALLOW_OPEN = "allowUnauthenticatedRoutes"


def ours(urn: str, made: Object) -> bool:
    """Returns true if Trussform made the object, by its parent or its label."""
    return _CHILD in urn or _below(made, "metadata", "labels", _MANAGED_BY) == "trussform"


def tags(made: Object) -> Iterator[str]:
    """Yields a message for each image without a digest, the fetcher's included."""
    return _each(_containers(made), _tag)


def probes(made: Object) -> Iterator[str]:
    containers = _pod(made).get("containers") or ()
    servers = [container for container in containers if container.get("name") == "server"]
    for probe in _PROBES if containers else ():
        if not any(server.get(probe) for server in servers):
            yield (
                f"container `server` has no {probe}; remove the transform that deletes it, and "
                "set its thresholds in `runtime.health_checks` of the config"
            )


def resources(made: Object) -> Iterator[str]:
    gpus: set[str] = set()
    for container in _containers(made):
        name = container.get("name")
        requests: Object = _below(container, "resources", "requests") or {}
        limits: Object = _below(container, "resources", "limits") or {}
        if "memory" not in (*requests, *limits):
            yield f"container `{name}` requests no memory; add `resources.memory` to the config"
        gpus |= _devices(limits)
        for device in _devices(requests) - _devices(limits):
            yield f"container `{name}` requests {device} without a limit; set the same limit"
    marks = dict.fromkeys(key for key in _node_keys(_pod(made)) if _GPU_NODE.search(key))
    if marks and not gpus:
        yield (
            f"the pod may run on nodes with GPUs ({', '.join(marks)}), but no container has a "
            "limit for a GPU; add `resources.accelerator` to the config"
        )


def secrets(made: Object) -> Iterator[str]:
    """Yields a message for each secret, and for each text that looks like one."""
    return _each(_containers(made), _secrets)


def auth(made: Object) -> Iterator[str]:
    """Yields a message for a route whose label says that it has no auth."""
    if made.get("kind") in _ROUTES and (
        _below(made, "metadata", "labels", AUTH_LABEL) in (None, "none")
    ):
        yield (
            "the route has no auth; set the stage's `auth`. If every caller of the gateway may use "
            f"the route, set `{_ALLOW_OPEN}` in the pack's configuration"
        )


def _tag(container: Object) -> Iterator[str]:
    name, image = container.get("name"), container.get("image")
    if not _BY_DIGEST.fullmatch(str(image)):
        fix = "run `trussform lock`, or give the server `image: repository@sha256:…` in the stage"
        if name == "fetch-weights":
            fix = "run `trussform lock`, or write `weights.image` as repository@sha256:…"
        yield f"container `{name}` runs {image}, which has no valid digest; {fix}"


def _secrets(container: Object) -> Iterator[str]:
    name = container.get("name")
    fix = "declare it under the config's `secrets`, and read it from /secrets"
    for source in container.get("envFrom") or ():
        if secret := _below(source, "secretRef"):
            which = secret.get("name")
            yield f"container `{name}` has the Secret {which} in its environment; {fix}"

    def told(variable: Object) -> Iterator[str]:
        if _below(variable, "valueFrom", "secretKeyRef") is not None:
            yield f"container `{name}`: {variable.get('name')} is from a Secret; {fix}"
        elif shows_secret(str(variable.get("value"))):
            yield f"container `{name}`: {variable.get('name')} looks like a secret; {fix}"

    yield from _each(container.get("env") or (), told)


def _each(parts: Sequence[Object], rule: Callable[[Object], Iterator[str]]) -> Iterator[str]:
    """Yields the messages of each item; an item that is not known yet does not hide the others."""
    unknown = None
    for part in parts:
        try:
            yield from rule(part)
        except UnknownValueError as error:
            unknown = error
    if unknown is not None:
        raise unknown


def _below(made: Any, *keys: str) -> Any:
    try:
        for key in keys:
            made = made[key]
    except (KeyError, TypeError):
        return None
    return made


def _pod(made: Object) -> Object:
    pod: Object = _below(made, "spec", "template", "spec") or {}
    return pod


def _containers(made: Object) -> Sequence[Object]:
    pod = _pod(made)
    return [*(pod.get("initContainers") or ()), *(pod.get("containers") or ())]


def _devices(amounts: Object) -> set[str]:
    """Returns the extended resources: `nvidia.com/gpu`, `nvidia.com/mig-3g.40gb`, …."""
    return {name for name in amounts if "/" in name and str(amounts[name]) not in ("0", "0.0")}


def _node_keys(pod: Object) -> Iterator[str]:
    """Returns the labels and taints of the nodes that the pod may run on."""
    yield from pod.get("nodeSelector") or ()
    terms = _below(pod, "affinity", "nodeAffinity", _REQUIRED, "nodeSelectorTerms") or ()
    for term in terms:
        yield from (wanted["key"] for wanted in term.get("matchExpressions") or ())
    yield from (tolerated.get("key") or "" for tolerated in pod.get("tolerations") or ())


def _policy(
    name: str,
    description: str,
    rule: Callable[[Object], Iterator[str]],
    allow: str | None = None,
) -> ResourceValidationPolicy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        allowed = allow is not None and args.get_config().get(allow)
        if allowed or not ours(args.urn, args.props):
            return
        for violation in rule(args.props):
            report(violation, None)

    return ResourceValidationPolicy(
        name=name,
        description=description,
        validate=validate,
        enforcement_level=EnforcementLevel.MANDATORY,
        config_schema=PolicyConfigSchema({allow: {"type": "boolean"}}) if allow else None,
    )


POLICIES = [
    _policy("images-by-digest", "Every image is named by its digest.", tags),
    _policy("three-probes", "A server has a startup, a readiness and a liveness probe.", probes),
    _policy("gpu-and-memory", "Memory is requested, and GPUs are limited.", resources),
    _policy("no-secret-in-environment", "Secrets are files, never variables.", secrets),
    _policy("routes-with-auth", "A route knows who may call it.", auth, allow=_ALLOW_OPEN),
]
"""The policies for a `PolicyPack`; all are mandatory unless its configuration changes that."""
