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


def register(name: str, objects: list[Object], parent: pulumi.Resource | None = None) -> None:
    """Registers the objects of a server; its route waits for the others, as Trussform's does."""
    opts = pulumi.ResourceOptions(parent=parent)
    routes = [each for each in objects if each["kind"] == "HTTPRoute"]
    first = [
        KINDS[each["kind"]](_child(name, each), **_body(each), opts=opts)
        for each in objects
        if each not in routes
    ]
    for route in routes:
        kubernetes.apiextensions.CustomResource(
            _child(name, route),
            api_version=route["apiVersion"],
            kind=route["kind"],
            **_body(route),
            opts=pulumi.ResourceOptions(parent=parent, depends_on=first),
        )


def _child(name: str, made: Object) -> str:
    return f"{name}-{made['kind'].lower()}"


def _body(made: Object) -> Object:
    return {part: made[part] for part in made.keys() - {"apiVersion", "kind"}}


def export(name: str) -> None:
    """Exports the URL of a server."""
    pulumi.export(name, f"http://{name}.bench.localhost/environments/bench/predict")
