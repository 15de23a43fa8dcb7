"""The Deployment and its pod template."""

import json
import re
from pathlib import Path
from typing import Any

from trussform.manifests import weights
from trussform.manifests.availability import topology_spread
from trussform.manifests.deploy_values import DeployValues, Manifest, Text
from trussform.manifests.metadata import NAME_LABEL, deployment_metadata
from trussform.manifests.resources import with_limits
from trussform.manifests.yaml_text import to_same_yaml
from trussform.plan import Plan
from trussform.plan.driver import NO_GPU
from trussform.plan.probes import TIMEOUT, Probe
from trussform.plan.toleration import Toleration

CONFIG_ANNOTATION = "trussform/config.yaml"
ENVIRONMENT_ANNOTATION = "trussform/environment"
_ENVIRONMENT_FILE = "/etc/b10_dynamic_config/environment"
"""The file from which a custom server reads the name of its environment on Baseten."""

_PRE_STOP = Path(__file__).with_name("pre_stop.sh")


def deployment(plan: Plan, values: DeployValues[Text]) -> Manifest:
    rollout = plan.rollout
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": deployment_metadata(plan, values),
        "spec": {
            **({} if rollout.replicas is None else {"replicas": rollout.replicas}),
            "progressDeadlineSeconds": plan.deadlines.progress,
            "selector": {"matchLabels": {NAME_LABEL: plan.name}},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {
                    "maxSurge": rollout.surge,
                    "maxUnavailable": rollout.unavailable,
                },
            },
            "template": {
                "metadata": {
                    "labels": {**plan.pod.labels, **plan.labels.every},
                    "annotations": {**plan.pod.annotations, **_annotations(plan)},
                },
                "spec": _pod(plan, values),
            },
        },
    }


def _annotations(plan: Plan) -> dict[str, str]:
    annotations = {
        CONFIG_ANNOTATION: to_same_yaml(plan.files.config),
        ENVIRONMENT_ANNOTATION: json.dumps({"name": plan.labels.environment}),
    }
    if plan.secrets.any and plan.secrets.version is not None:
        annotations["trussform/secrets-version"] = plan.secrets.version
    if plan.weights.sources:
        annotations[weights.TRANSFER_ANNOTATION] = weights.transfer_script(plan)
    return annotations


def _pod(plan: Plan, values: DeployValues[Text]) -> Manifest:
    spec: Manifest = {
        "terminationGracePeriodSeconds": plan.drain.grace,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": _pod_security(plan),
        "containers": [_server(plan, values)],
        "volumes": [*_volumes(plan, values), *weights.volumes(plan)],
    }
    if before := _init_containers(plan, values):
        spec["initContainers"] = before
    if plan.security.service_account is not None:
        spec["serviceAccountName"] = plan.security.service_account
    if values.pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in values.pull_secrets]
    spec |= _placement(plan)
    if apart := topology_spread(plan):
        spec["topologySpreadConstraints"] = apart
    return spec


def _pod_security(plan: Plan) -> Manifest:
    profile: Manifest = {"seccompProfile": {"type": "RuntimeDefault"}}
    if plan.security.group is None:
        return profile
    # Handing a terabyte of weights to the group at every start would take minutes.
    policy = {"fsGroupChangePolicy": "OnRootMismatch"}
    return {"fsGroup": plan.security.group, **policy, **profile}


def _placement(plan: Plan) -> Manifest:
    """Returns the fields that the scheduler reads, and the runtime."""
    pod, spec = plan.pod, dict[str, Any]()
    if plan.gpu.per_pod:
        spec["affinity"] = _gpu_nodes(plan)
    if pod.node_selector:
        spec["nodeSelector"] = dict(pod.node_selector)
    if pod.tolerations:
        spec["tolerations"] = [_toleration(one) for one in pod.tolerations]
    if pod.priority_class is not None:
        spec["priorityClassName"] = pod.priority_class
    if pod.runtime_class is not None:
        spec["runtimeClassName"] = pod.runtime_class
    return spec


def _gpu_nodes(plan: Plan) -> Manifest:
    product = {"key": plan.gpu.label, "operator": "In", "values": list(plan.gpu.products)}
    return {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [product]}]
            }
        }
    }


def _toleration(toleration: Toleration) -> Manifest:
    spec: Manifest = {}
    if toleration.key is not None:
        spec["key"] = toleration.key
    if toleration.value is None:
        spec["operator"] = "Exists"
    else:
        spec |= {"operator": "Equal", "value": toleration.value}
    if toleration.effect is not None:
        spec["effect"] = toleration.effect
    if toleration.seconds is not None:
        spec["tolerationSeconds"] = toleration.seconds
    return spec


def _server(plan: Plan, values: DeployValues[Text]) -> Manifest:
    probes = plan.probes
    hung = {"terminationGracePeriodSeconds": plan.drain.hung_grace}
    container: Manifest = {
        "name": "server",
        "image": values.image,
        "env": _variables(plan),
        "ports": [{"name": plan.routes.protocol, "containerPort": probes.port}],
        "resources": _resources(plan),
        "securityContext": _security(plan),
        "volumeMounts": [*_mounts(plan), *weights.mounts(plan)],
        "lifecycle": {"preStop": _pre_stop(plan)},
        "startupProbe": {**_probe(probes.startup, probes.port), **hung},
        "readinessProbe": _probe(probes.readiness, probes.port),
        "livenessProbe": {**_probe(probes.liveness, probes.port), **hung},
    }
    if plan.command.argv:
        container["command"] = [escape_expansion(argument) for argument in plan.command.argv]
    return container


def _variables(plan: Plan) -> list[Manifest]:
    texts, fields = plan.variables.texts, plan.variables.fields
    return [
        *({"name": name, "value": escape_expansion(text)} for name, text in texts.items()),
        *(
            {"name": name, "valueFrom": {"fieldRef": {"fieldPath": field}}}
            for name, field in fields.items()
        ),
    ]


def escape_expansion(text: str) -> str:
    """Returns the text escaped, because Kubernetes expands `$(NAME)` and `$$`."""
    return re.sub(r"\$(?=[$(])", "$$", text)


def _pre_stop(plan: Plan) -> Manifest:
    """Returns the hook that runs before SIGTERM. Kubernetes expands no `$(NAME)` in it
    (kubernetes/kubernetes, pkg/kubelet/lifecycle/handlers.go).

    An image that runs by its own command may have no shell, so its hook only sleeps.
    """
    delay, drain = plan.drain.delay, plan.drain.waits
    if not plan.command.argv:
        return {"sleep": {"seconds": delay}}
    script = _without_comments(_PRE_STOP.read_text())
    port = f"{plan.probes.port:04X}"
    return {"exec": {"command": ["sh", "-c", script, "pre-stop", str(delay), str(drain), port]}}


def _without_comments(script: str) -> str:
    """Returns the script without comment lines, so that a comment's change rolls no pod."""
    lines = script.splitlines(keepends=True)
    return "".join(line for line in lines if line.strip() and not line.lstrip().startswith("#"))


def _resources(plan: Plan) -> Manifest:
    gpus = {plan.gpu.resource: str(plan.gpu.per_pod)} if plan.gpu.per_pod else {}
    return with_limits(plan, {**plan.resources.requests, **gpus}, gpus)


def _security(plan: Plan) -> Manifest:
    if plan.security.user is None:
        return {"allowPrivilegeEscalation": False}
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": plan.security.user,
    }


def _probe(probe: Probe, port: int) -> Manifest:
    question = {"httpGet": {"path": probe.path, "port": port}}
    if probe.path is None:
        question = {"grpc": {"port": port}}
    spec: Manifest = {
        **question,
        "periodSeconds": probe.period,
        "timeoutSeconds": TIMEOUT,
        "failureThreshold": probe.failures,
    }
    return {**spec, "initialDelaySeconds": probe.delay} if probe.delay else spec


def _mounts(plan: Plan) -> list[Manifest]:
    """Returns the server's mounts. None hides a file of the image that Baseten keeps."""
    mounts: list[Manifest] = [
        *({"name": folder[1:], "mountPath": folder} for folder in plan.files.copied),
        {"name": "shm", "mountPath": "/dev/shm"},
        {"name": "config", "mountPath": _ENVIRONMENT_FILE, "subPath": "environment"},
    ]
    if plan.files.mounts_config:
        mounts.append({"name": "config", "mountPath": "/app/config.yaml", "subPath": "config.yaml"})
    return [*mounts, *_secret_mounts(plan)]


def _secret_mounts(plan: Plan) -> list[Manifest]:
    mount: Manifest = {"name": "secrets", "mountPath": "/secrets", "readOnly": True}
    return [mount] if plan.secrets.any else []


def _volumes(plan: Plan, values: DeployValues[Text]) -> list[Manifest]:
    items = [_annotated("environment", ENVIRONMENT_ANNOTATION)]
    if plan.files.mounts_config:
        items.append(_annotated("config.yaml", CONFIG_ANNOTATION))
    volumes: list[Manifest] = [
        *({"name": folder[1:], "emptyDir": {}} for folder in plan.files.copied),
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": plan.files.shm}},
        {"name": "config", "downwardAPI": {"items": items}},
    ]
    if plan.secrets.any:
        volumes.append({"name": "secrets", "projected": _secret_files(plan, values)})
    return volumes


def _annotated(file: str, annotation: str) -> Manifest:
    """Returns a file whose text is an annotation of the pod."""
    return {"path": file, "fieldRef": {"fieldPath": f"metadata.annotations['{annotation}']"}}


def _secret_files(plan: Plan, values: DeployValues[Text]) -> Manifest:
    """Returns the files at `/secrets`; those that the config does not declare are optional."""

    def source(names: tuple[str, ...], optional: bool) -> Any:
        items = [{"key": name, "path": name} for name in names]
        return {"secret": {"name": values.secret, "items": items, "optional": optional}}

    names, undeclared = plan.secrets.names, plan.secrets.undeclared
    sources = [source(names, False)] if names else []
    sources += [source(undeclared, True)] if undeclared else []
    # Without a group, the server's user reads the files as others do.
    return {"defaultMode": 0o444 if plan.security.group is None else 0o440, "sources": sources}


def _init_containers(plan: Plan, values: DeployValues[Text]) -> list[Manifest]:
    copies = [_copy(plan, values)] if plan.files.copied else []
    made = [*copies, *weights.init_containers(plan, values, _secret_mounts(plan))]
    return [
        {
            **container,
            "command": [escape_expansion(argument) for argument in container["command"]],
            "env": [
                {**variable, "value": escape_expansion(variable["value"])}
                for variable in container.get("env", ())
            ],
        }
        for container in made
    ]


def _copy(plan: Plan, values: DeployValues[Text]) -> Manifest:
    """Fills the volumes that take the place of folders with what the image has there.

    A file that the user may not read is left out; the others are copied all the same.
    """
    folders = " ".join(plan.files.copied)
    copy = 'if [ -d "$folder" ]; then cp -a "$folder/." "/copy$folder/" || true; fi'
    return {
        "name": "copy-app",
        "image": values.image,
        "command": ["sh", "-c", f"for folder in {folders}; do {copy}; done"],
        "env": [{"name": name, "value": text} for name, text in NO_GPU.items()],
        "resources": with_limits(plan, plan.files.copy_requests._asdict()),
        "securityContext": _security(plan),
        "volumeMounts": [
            {"name": folder[1:], "mountPath": f"/copy{folder}"} for folder in plan.files.copied
        ],
    }
