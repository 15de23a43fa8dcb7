"""The component for programs in other languages: a Pulumi provider that constructs it."""

import json
from collections.abc import Mapping
from typing import Any, cast

import pulumi
from pulumi.errors import InputPropertiesError
from pulumi.provider import ConstructResult
from pulumi.provider import Provider as PulumiProvider

from trussform.deploy.docker_server import (
    DockerServer,
    DockerServerArgs,
    Gateway,
    Platform,
    plan_arguments,
)
from trussform.deploy.package_schema import COMPONENT, Json, camel, package_schema, snake
from trussform.problem import FieldPath, Problem, ProblemError
from trussform.source import is_mapping
from trussform.version import __version__


def schema() -> Json:
    """Returns the schema of the package, with the version of this installation."""
    return package_schema(__version__, DockerServer, DockerServerArgs, Platform, Gateway)


class Provider(PulumiProvider):
    """Constructs `DockerServer` from the arguments of a program in another language."""

    def __init__(self) -> None:
        self._schema = schema()
        super().__init__(self._schema["version"], json.dumps(self._schema))

    def construct(
        self,
        name: str,
        resource_type: str,
        inputs: pulumi.Inputs,
        options: pulumi.ResourceOptions | None = None,
    ) -> ConstructResult:
        """Registers a server; raises `InputPropertiesError` with every problem of its arguments."""
        if resource_type != COMPONENT:
            raise InputPropertiesError(f"the package has no component {resource_type}", [])
        component = self._schema["resources"][COMPONENT]
        types = self._schema["types"]
        args = from_wire(inputs, {"properties": component["inputProperties"]}, types)
        if isinstance(args.get("platform"), pulumi.Output):
            args["platform"] = _platform(args["platform"])
        try:
            planned = plan_arguments(name, cast(DockerServerArgs, args))
        except ProblemError as error:
            raise _error(name, error, component, types) from None
        server = DockerServer(name, cast(DockerServerArgs, planned), options)
        outputs = {camel(field): getattr(server, field) for field in _outputs()}
        return ConstructResult(server.urn, outputs)


def _platform(whole: pulumi.Output[Any]) -> Platform:
    """Returns the values of a platform that arrives as one output, as those of Java do.

    Its fields are not known yet, so it must have all of them but `pull_secret`.
    """
    gateway = _field(whole, "gateway")
    return {
        "namespace": _field(whole, "namespace"),
        "domain": _field(whole, "domain"),
        "gateway": {"name": gateway["name"], "namespace": gateway.apply(_namespace)},
        "registry": _field(whole, "registry"),
    }


def _namespace(gateway: Mapping[str, Any]) -> Any:
    return gateway.get("namespace")


def _field(whole: pulumi.Output[Any], name: str) -> pulumi.Output[Any]:
    def find(values: Mapping[str, Any]) -> Any:
        if "pull_secret" in values:
            message = "args: platform.pullSecret: the platform is one output, and cannot have it"
            raise pulumi.RunError(f"{message}; write `pullSecret` in the stage")
        if name not in values:
            message = f"args: platform: the platform is one output, and has no `{name}`"
            raise pulumi.RunError(f"{message}; add it")
        return values[name]

    return whole.apply(find)


def _outputs() -> list[str]:
    return list(DockerServer.__annotations__)


def from_wire(value: Any, spec: Json, types: Mapping[str, Json]) -> Any:
    """Returns a value of another language as Python spells it.

    Fields of a known type get their names in Python. Keys of the user's own, as in environment
    variables and in a patch of a config, stay. Whole numbers arrive as floats.
    """
    spec = _resolved(spec, types)
    if isinstance(value, pulumi.Output):
        return cast(pulumi.Output[Any], value).apply(lambda known: from_wire(known, spec, types))
    if is_mapping(value) and "properties" in spec:
        fields: Json = spec["properties"]
        return {
            # An unknown field keeps its name, which the error then shows.
            snake(key) if key in fields else key: from_wire(part, fields.get(key, {}), types)
            for key, part in value.items()
        }
    if is_mapping(value):
        inner: Json = spec.get("additionalProperties", {})
        return {key: from_wire(part, inner, types) for key, part in value.items()}
    if isinstance(value, list):
        items: Json = spec.get("items", {})
        return [from_wire(part, items, types) for part in cast(list[Any], value)]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _resolved(spec: Json, types: Mapping[str, Json]) -> Json:
    return types.get(spec.get("$ref", "").removeprefix("#/types/"), spec)


def _error(
    name: str, error: ProblemError, component: Json, types: Mapping[str, Json]
) -> InputPropertiesError:
    """Returns the problems as an error that the engine shows with the names of the arguments."""
    spec: Json = {"properties": component["inputProperties"]}
    problems = [_spelled(problem, spec, types) for problem in error.problems]
    lines = "\n".join(str(problem) for problem in problems)
    return InputPropertiesError(f"DockerServer {name}:\n{lines}", [])


def _spelled(problem: Problem, spec: Json, types: Mapping[str, Json]) -> Problem:
    """Returns a problem of the arguments with its path in the spelling of other languages."""
    if problem.location.line:
        return problem  # It is in a file, which has one spelling for all.
    path: FieldPath = ()
    for key in problem.path:
        spec = _resolved(spec, types)
        if isinstance(key, int):
            spec = spec.get("items", {})
        elif "properties" in spec:
            path, spec = (*path, camel(key)), spec["properties"].get(camel(key), {})
            continue
        else:
            spec = spec.get("additionalProperties", {})
        path = (*path, key)
    return problem._replace(path=path)
