"""Objects as resources, for the programs that have no Trussform."""

import json
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

KINDS: dict[str, Any] = {
    "Deployment": kubernetes.apps.v1.Deployment,
    "Service": kubernetes.core.v1.Service,
}


Object = dict[str, Any]


def read_servers() -> dict[str, list[Object]]:
    """Returns the objects of each server by its name."""
    return json.loads(Path("objects.json").read_text())


def register(name: str, objects: list[Object], opts: pulumi.ResourceOptions) -> None:
    """Registers the objects of a server, side by side."""
    for each in objects:
        kind = each["kind"]
        child = f"{name}-{kind.lower()}"
        body = {part: each[part] for part in each.keys() - {"apiVersion", "kind"}}
        if kind in KINDS:
            KINDS[kind](child, **body, opts=opts)
        else:
            kubernetes.apiextensions.CustomResource(
                child, api_version=each["apiVersion"], kind=kind, **body, opts=opts
            )


def export(name: str) -> None:
    """Exports the URL of a server."""
    pulumi.export(name, f"http://{name}.bench.localhost/environments/bench/predict")
