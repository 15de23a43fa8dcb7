"""The schema of the Pulumi package: the arguments of `DockerServer` for every language.

The models of the stage are its source, and they judge the arguments. A union of models becomes one
object with the fields of all, because most languages have no unions of objects.
"""

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any

from trussform.schema import descriptions, json_schema
from trussform.source import is_mapping
from trussform.stage import Stage
from trussform.version import REPOSITORY

Json = dict[str, Any]

PACKAGE = "trussform"
COMPONENT = f"{PACKAGE}:index:DockerServer"
_ONLY_IN_FILES = {"Stage": ("servers", "create_namespace"), "Server": ("path",)}
"""Fields of a stack file that the arguments of a component do not have."""
_UNIONS = {
    "route": "Route",
    "auth": "Auth",
    "secrets": "Secrets",
    "tls": "Tls",
    "storage": "Storage",
    "ingress_from": "Peer",
}
"""The type of each field with a union of models."""


def package_schema(version: str, server: type, args: type, platform: type, gateway: type) -> Json:
    """Returns the schema of the package, as `pulumi package get-schema` prints it.

    `server` is the component, and the others are the TypedDicts of its arguments.
    """
    types = stage_types()
    types["Gateway"] = _typed_dict(gateway, {})
    types["Platform"] = _typed_dict(platform, {"gateway": {**_ref("Gateway"), "plain": True}})
    plain = {"plain": True}
    inputs = _typed_dict(
        args,
        {
            "config_path": {"type": "string", **plain},
            "stage": {**_ref("Stage"), **plain},
            "overrides": {**_ref("Server"), **plain},
            "secrets": {**_map_of({"type": "string"}), "secret": True},
            # Its fields decide which values come from it; the values may be outputs.
            "platform": {**_ref("Platform"), **plain},
            "lock_file": {"type": "string", **plain},
        },
    )
    outputs = _typed_dict(server, {})
    return {
        "name": PACKAGE,
        "namespace": PACKAGE,  # Pulumi would take it from the URL of a repository alone.
        "displayName": "Trussform",
        "version": version,
        "description": "Deploys a Truss config.yaml with a docker_server block on Kubernetes.",
        "keywords": ["pulumi", "kubernetes", "truss", "model-serving", "category/infrastructure"],
        "homepage": REPOSITORY,
        "repository": REPOSITORY,
        "license": "Apache-2.0",
        "publisher": "Trussform",
        "meta": {"supportPack": True},
        "language": {
            "nodejs": {"respectSchemaVersion": True},
            "python": {"respectSchemaVersion": True, "pyproject": {"enabled": True}},
            "go": {"respectSchemaVersion": True},
            "java": {"buildFiles": "gradle"},
        },
        "types": {f"{PACKAGE}:index:{name}": made for name, made in sorted(types.items())},
        "resources": {
            COMPONENT: {
                "isComponent": True,
                "description": inspect.getdoc(server),
                "inputProperties": inputs["properties"],
                "requiredInputs": inputs["required"],
                "properties": outputs["properties"],
                "required": outputs["required"],
            }
        },
    }


def stage_types() -> dict[str, Json]:
    """Returns the types of the stage by name, from `Stage` and `Server` down."""
    schema = json_schema(Stage)
    types = _Types(schema["$defs"])
    types.add("Stage", [schema])
    types.add("Server", [schema["$defs"]["Server"]])
    return types.made


class _Types:
    """The types of the package, collected from definitions of a JSON Schema."""

    def __init__(self, definitions: Mapping[str, Json]) -> None:
        self._definitions = definitions
        self.made: dict[str, Json] = {}

    def add(self, name: str, models: list[Json], words: Iterable[str] = ()) -> Json:
        """Adds an object with the fields of all models; `words` are further values of `kind`."""
        if name in self.made:
            return _ref(name)
        self.made[name] = made = {"type": "object"}
        fields: dict[str, list[Json]] = {}
        texts: dict[str, dict[str, list[str]]] = {}
        for model in models:
            for field, part in model["properties"].items():
                if field not in _ONLY_IN_FILES.get(name, ()):
                    fields.setdefault(field, []).append(part)
                    text = _summary(model) if field == "kind" else part["description"]
                    texts.setdefault(field, {}).setdefault(text, []).append(_kind(model))
        if "kind" in fields:
            fields["kind"] += [{"const": word} for word in words]
        required = [field for field in fields if all(field in _required(model) for model in models)]
        made |= {
            "description": _by_kind({model["description"]: [_kind(model)] for model in models}),
            "properties": {
                camel(field): {
                    **_plain(self._type(name, field, {"anyOf": parts})),
                    "description": _by_kind(texts[field], len(models)),
                }
                for field, parts in fields.items()
            },
            "required": [camel(field) for field in required],
        }
        return _ref(name)

    def _type(self, owner: str, field: str, part: Json) -> Json:
        arms = list(self._arms(part))
        words = list(dict.fromkeys(word for arm in arms for word in _words(arm)))
        models = [arm for arm in arms if "properties" in arm]
        others = [arm for arm in arms if arm not in models and not _words(arm)]
        if models:
            name = _UNIONS.get(field, "") if len(models) > 1 or words else models[0]["title"]
            return self.add(name, models, words)
        if words and not others:
            return self._enum(f"{owner}{camel(field)[0].upper()}{camel(field)[1:]}", words)
        if words:
            return {"oneOf": [self._value(owner, field, others[0]), {"type": "string"}]}
        return self._value(owner, field, others[0])

    def _arms(self, part: Json) -> Iterable[Json]:
        """Yields the alternatives of a type, with their definitions, and without null."""
        if reference := part.get("$ref"):
            yield from self._arms(self._definitions[reference.rpartition("/")[2]])
        elif alternatives := part.get("anyOf") or part.get("oneOf"):
            for alternative in alternatives:
                yield from self._arms(alternative)
        elif part.get("type") != "null":
            yield part

    def _value(self, owner: str, field: str, part: Json) -> Json:
        """Returns the type of a list, of a mapping, or of a primitive value."""
        kind: str = part.get("type", "")
        if kind == "array":
            return {"type": "array", "items": self._type(owner, field, part["items"])}
        if kind == "object":
            values: Any = part.get("additionalProperties")
            if not is_mapping(values):
                return _map_of({"$ref": "pulumi.json#/Any"})  # A patch of a config.
            return _map_of(self._type(owner, field, values))
        return {"type": kind}

    def _enum(self, name: str, words: list[str]) -> Json:
        values = [{"value": word} for word in words]
        self.made[name] = {"type": "string", "enum": values}
        return _ref(name)


def _kind(model: Json) -> str:
    """Returns the word that chooses a model in a union; empty if its fields choose it."""
    return model["properties"].get("kind", {}).get("const", "")


def _summary(model: Json) -> str:
    return model["description"].partition("\n\n")[0]


def _by_kind(texts: Mapping[str, list[str]], models: int = 0) -> str:
    """Returns texts with the kinds that each is about; without, if one is about all models."""
    paragraphs: list[str] = []
    for text, kinds in texts.items():
        named = ", ".join(f"`{kind}`" for kind in kinds if kind)
        paragraphs.append(f"{named}: {text}" if named and len(kinds) != models else text)
    return "\n\n".join(paragraphs)


def _required(model: Json) -> list[str]:
    return model.get("required", [])


def _plain(spec: Json) -> Json:
    """Returns a type whose values, and the values in them, cannot be outputs."""
    inner = {name: _plain(spec[name]) for name in ("items", "additionalProperties") if name in spec}
    return {**spec, **inner, "plain": True}


def _words(part: Json) -> list[str]:
    """Returns the words that a type allows; none if it is not an enumeration."""
    return [part["const"]] if "const" in part else part.get("enum", [])


def _typed_dict(owner: type, types: Mapping[str, Json]) -> Json:
    """Returns the object of a class with annotations; a field without a type here is a string."""
    texts = descriptions(owner)
    optional = getattr(owner, "__optional_keys__", frozenset[str]())
    return {
        "type": "object",
        "description": inspect.getdoc(owner),
        "properties": {
            camel(field): {**types.get(field, {"type": "string"}), "description": text}
            for field, text in texts.items()
        },
        "required": [camel(field) for field in texts if field not in optional],
    }


def _ref(name: str) -> Json:
    return {"$ref": f"#/types/{PACKAGE}:index:{name}"}


def _map_of(values: Json) -> Json:
    return {"type": "object", "additionalProperties": values}


def snake(name: str) -> str:
    """Returns a name of other languages as Python spells it: `configPath`, `config_path`."""
    return re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", name)


def camel(name: str) -> str:
    """Returns a name of Python as other languages spell it: `config_path`, `configPath`."""
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)
