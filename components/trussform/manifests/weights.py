"""The weights of a server: their claim, the init container that fetches them, and their mounts."""

import json
from pathlib import Path

from trussform import fetcher
from trussform.manifests.deploy_values import DeployValues, Manifest, Text
from trussform.manifests.metadata import SKIP_AWAIT, metadata
from trussform.manifests.resources import with_limits
from trussform.plan import Plan
from trussform.plan.weights import Source

TRANSFER_ANNOTATION = "trussform/truss-transfer-cli"
_TRANSFER = "truss-transfer-cli"
_AT = "/weights"
_PROGRAM = Path(fetcher.__file__).parent
_MODULE = "fetcher"
_PROGRAM_AT = "/opt/trussform"
"""The folder with the module."""


def claims(plan: Plan, values: DeployValues[Text]) -> list[Manifest]:
    """Returns the server's own claim; none if the stage keeps the weights elsewhere."""
    volume = plan.weights.volume
    if volume is None or volume.kind != "claim":
        return []
    spec: Manifest = {
        "accessModes": [volume.access_mode],
        "resources": {"requests": {"storage": volume.size}},
    }
    if volume.storage_class is not None:
        spec["storageClassName"] = volume.storage_class
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {
                **metadata(plan, values, volume.claim),
                # Some classes bind a claim only when a pod wants it, and that comes later.
                "annotations": {SKIP_AWAIT: "true"},
            },
            "spec": spec,
        }
    ]


def programs(plan: Plan, values: DeployValues[Text]) -> list[Manifest]:
    """Returns the ConfigMap with the program of the init container.

    The pod template names it and has nothing of its text, so another version of the program
    restarts no server.
    """
    if not plan.weights.sources:
        return []
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(plan, values, plan.names.fetcher),
            "data": {file.name: file.read_text() for file in sorted(_PROGRAM.glob("*.py"))},
        }
    ]


def volumes(plan: Plan) -> list[Manifest]:
    volume = plan.weights.volume
    if volume is None:
        return []
    kept: Manifest = {"persistentVolumeClaim": {"claimName": volume.claim}}
    if volume.kind == "node":
        kept = {"hostPath": {"path": volume.path, "type": "DirectoryOrCreate"}}
    script = {
        "path": _TRANSFER,
        "mode": 0o755,
        "fieldRef": {"fieldPath": f"metadata.annotations['{TRANSFER_ANNOTATION}']"},
    }
    return [
        {"name": "weights", **kept},
        {"name": "fetcher", "configMap": {"name": plan.names.fetcher}},
        {"name": "truss-transfer", "downwardAPI": {"items": [script]}},
    ]


def mounts(plan: Plan) -> list[Manifest]:
    """Returns the mounts of the server.

    Truss's image has `truss-transfer-cli` at the path of the last one, and start commands call it.
    """
    if not plan.weights.sources:
        return []
    places = {source.mount: source for source in plan.weights.sources}
    if plan.weights.hub_cache is not None:
        cache = next(source for source in plan.weights.sources if source.hub)
        places[plan.weights.hub_cache] = cache
    transfer = {"mountPath": f"/usr/local/bin/{_TRANSFER}", "subPath": _TRANSFER}
    return [
        *(_mount(mount, source) for mount, source in places.items()),
        {"name": "truss-transfer", **transfer},
    ]


def _mount(path: str, source: Source) -> Manifest:
    return {
        "name": "weights",
        "mountPath": path,
        "subPath": source.folder,
        "readOnly": source.read_only,
    }


def transfer_script(plan: Plan) -> str:
    """Returns a script in place of Truss's downloader, as the weights are on the volume by then."""
    places = ", ".join(dict.fromkeys(source.mount for source in plan.weights.sources))
    return f"#!/bin/sh\ncat <<'EOF'\ntruss-transfer-cli: the weights are there: {places}\nEOF\n"


def init_containers(
    plan: Plan, values: DeployValues[Text], secret_mounts: list[Manifest]
) -> list[Manifest]:
    if not plan.weights.sources:
        return []
    variables = {
        # Both would otherwise fill the disk of the container.
        "HF_HOME": f"{_AT}/.huggingface",
        "HOME": f"{_AT}/.home",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        # Pieces of files that the volume has anyway; they would take its room.
        "HF_XET_CHUNK_CACHE_SIZE_BYTES": "0",
        "PYTHONUNBUFFERED": "1",
        **plan.fetcher.environment_variables,
        "TRUSSFORM_WEIGHTS": json.dumps([_wanted(source) for source in plan.weights.sources]),
    }
    security: Manifest = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    user = plan.security.fetcher_user
    if user == 0:
        security["runAsUser"] = 0
    elif user is not None:
        security |= {"runAsNonRoot": True, "runAsUser": user}
    return [
        {
            "name": "fetch-weights",
            "image": values.fetcher,
            "command": ["python3", "-m", _MODULE],
            "workingDir": _PROGRAM_AT,
            "env": [{"name": name, "value": text} for name, text in variables.items()],
            "resources": with_limits(plan, plan.fetcher.requests._asdict()),
            "securityContext": security,
            "volumeMounts": [
                {"name": "weights", "mountPath": _AT},
                {
                    "name": "fetcher",
                    "mountPath": f"{_PROGRAM_AT}/{_MODULE}",
                    "readOnly": True,
                },
                *secret_mounts,
            ],
        }
    ]


def _wanted(source: Source) -> Manifest:
    """Returns a source as the fetcher reads it (`fetcher/source.py`)."""
    return {
        "id": source.id,
        "source": source.source,
        "folder": source.folder,
        "hub": source.hub,
        "secret": source.secret,
        "role": source.role,
        "region": source.region,
        "allow": source.allow,
        "ignore": source.ignore,
        "any_depth": source.any_depth,
    }
