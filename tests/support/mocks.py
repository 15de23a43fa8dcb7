"""The SDK's mocks in place of the engine: they keep every registration."""

from collections.abc import Callable
from typing import Any, cast

import pulumi
from google.protobuf import json_format
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks

DIGEST = "sha256:" + "d" * 64
SECRET = "kubernetes:core/v1:Secret"
IMAGE = "docker:index/image:Image"


class Answers(Mocks):
    """Answers as the providers do: auto-named Secrets, digests, and inputs as they are."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        inputs: dict[str, Any] = cast(Any, args).inputs
        outputs: dict[Any, Any] = dict(inputs)
        if args.typ == SECRET:
            outputs["metadata"] = {**inputs["metadata"], "name": f"{args.name}-1a2b3c"}
        if args.typ == IMAGE:
            outputs["repoDigest"] = f"{inputs['imageName'].partition(':')[0]}@{DIGEST}"
        return f"{args.name}-id", outputs

    def call(self, args: MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]]]:
        assert args.token == "docker:index/getRegistryImage:getRegistryImage"
        asked = cast(Any, args).args
        return {"id": "x", "name": asked["name"], "sha256Digest": DIGEST}, []


class Recorder(MockMonitor):
    """Keeps every registration as the engine would get it."""

    def __init__(self, mocks: Mocks) -> None:
        super().__init__(mocks)
        self.requests: dict[str, Any] = {}
        self.invokes: list[Any] = []

    def RegisterResource(self, request: Any) -> Any:
        if request.type != "pulumi:pulumi:Stack":
            self.requests[request.name] = request
        return cast(Any, super()).RegisterResource(request)

    def Invoke(self, request: Any) -> Any:
        self.invokes.append(request)
        return cast(Any, super()).Invoke(request)

    def inputs(self, name: str) -> Any:
        return json_format.MessageToDict(self.requests[name].object)


def run(program: Callable[[], Any]) -> Any:
    """Runs a program to its end, all of its resources registered."""
    return cast(Any, pulumi.runtime).test(program)()


def resolved(output: pulumi.Output[Any]) -> Any:
    values: list[Any] = []
    run(lambda: output.apply(values.append))
    return values[0]
