"""Texts of an attacker in every field of a config and of a stage: they stay data wherever they go.

What is accepted is spelled out, and read back by the rules of each language that it is spelled in:
Dockerfiles, shells, YAML, Kubernetes' objects and the terminal.
"""

import contextlib
import io
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from support import dockerfiles
from support.apiserver import misfits
from support.hostile import hostile, tried
from support.workspace import STAGE, Workspace, merged, plans_of
from trussform import manifests, stack_file
from trussform.cli import explain, render
from trussform.manifests import Manifest, build_context
from trussform.manifests.deployment import CONFIG_ANNOTATION
from trussform.manifests.weights import TRANSFER_ANNOTATION
from trussform.plan import Plan
from trussform.plan.image import Build
from trussform.plan.variables import POD_FIELDS
from trussform.problem import Problem, ProblemError, errors

PIECES = [
    # Lines and languages
    "\n", "\r\n", "\r", "\t", " ", "\\\n", "\\", "\x85", "\u2028", "\ufeff", "\x0b", "\x1c", "\x7f",
    "\x00",
    # Dockerfiles
    "\nUSER x\n", "\nFROM x", "# syntax=evil", "\n# escape=`\n", "<<EOF", "\nEOF\n", " \\", "`",
    "--mount=type=bind,source=/,target=/x", ",required=true", '["sh"]', "ONBUILD ",
    # Shells
    "'", '"', "$(id)", "`id`", "${HOME}", "$HOME", ";", "&&", "|", ">", "'; id; '", '"; id; "', "!",
    "*", "~", "-o", "--", "--privileged", "-rm", "#", "(", ")", "{a,b}", "[1-9]", "%(x)s", "%%",
    "EOF\nid\ncat <<'EOF'",
    # YAML
    "---\n", "\n...\n", "- ", ": ", "&a ", "*a", "!!python/name:os.system ", "{", "}", "[", "]",
    "%", "@", "|", "? ", "<<",
     "null", "~", "y", "n", "yes", "0o17", "1e3", "08", "1_000", "0x1F", ".5",
    "1:30", "2026-01-01", ".nan", "=", "\nkind: Pod\n", "\n---\nkind: Secret\n",
    # Kubernetes
    "$(A)", "$$(A)", "$$", "a" * 64, "a" * 300, ".", "..", "../", "/", "//", "_", ":", "/../x",
    "/etc/passwd", "../../etc/passwd", "config.yaml", "..data", "secrets/../x", "/secrets/x",
    # The terminal, and readers of it
    "\x1b[2J", "\x1b]0;x\x07", "\x9b31m", "\u202e", "\u200b", "[bold]", "[/]", "[link=x]", "é", "Ⅷ",
    "\U0001f600", "K", "ı",
    # Routes
    "?a=b", "%2f", "%00", "@evil.example", "$1", "$uri", "\\1",
]  # fmt: skip
Change = dict[str, Any]

SECRET = {"base_image": {"docker_auth": {"auth_method": "REGISTRY_SECRET", "secret_name": "login"}}}
WEIGHT = {"source": "hf://a/b", "mount_location": "/models/b"}
CACHE = {"repo_id": "a/b", "revision": "main", "use_volume": True, "volume_folder": "b"}
FILE = {"url": "https://example.com/a", "local_data_path": "a"}


def at(*keys: str) -> Callable[[str], Change]:
    """A change of the value at the keys."""

    def change(text: str) -> Change:
        made: Any = text
        for key in reversed(keys):
            made = {key: made}
        return made

    return change


CONFIG_FIELDS: dict[str, Callable[[str], Change]] = {
    **{name: at(name) for name in (
        "model_name", "description", "data_dir", "model_module_dir", "bundled_packages_dir",
        "requirements_file", "python_version", "examples_filename", "input_type", "model_framework",
        "model_type", "model_class_filename", "model_class_name", "spec_version",
    )},
    **{f"resources.{name}": at("resources", name) for name in (
        "cpu", "memory", "accelerator", "instance_type",
    )},
    **{f"docker_server.{name}": at("docker_server", name) for name in (
        "start_command", "predict_endpoint", "readiness_endpoint", "liveness_endpoint",
    )},
    "a word of start_command": lambda text: {
        "docker_server": {"start_command": shlex.join(["serve", text])}
    },
    "start_command in a shell": lambda text: {
        "docker_server": {"start_command": text, "no_build": True}
    },
    "a key": lambda text: {text: "x"},
    "base_image.image": at("base_image", "image"),
    "base_image.python_executable_path": lambda text: {
        "base_image": {"python_executable_path": text}, "requirements": ["six"],
    },
    **{f"docker_auth.{name}": lambda text, name=name: merged(
        SECRET, {"base_image": {"docker_auth": {name: text}}}
    ) for name in ("registry", "secret_name", "aws_access_key_id_secret_name")},
    "docker_auth.registry alone": lambda text: {
        "base_image": {"docker_auth": {"auth_method": "REGISTRY_SECRET", "registry": text}}
    },
    "docker_auth.aws_oidc_role_arn": lambda text: {"base_image": {"docker_auth": {
        "auth_method": "AWS_OIDC", "aws_oidc_role_arn": text, "aws_oidc_region": text}}},
    "environment_variables": lambda text: {"environment_variables": {"A": text}},
    "a name of environment_variables": lambda text: {"environment_variables": {text: "x"}},
    "a name of secrets": lambda text: {"secrets": {text: None}},
    "a value of secrets": lambda text: {"secrets": {"token": text}},
    "requirements": lambda text: {"requirements": [text, "six"]},
    "system_packages": lambda text: {"system_packages": [text, "curl"]},
    "build_commands": lambda text: {"build_commands": [text, "true"]},
    "build.arguments": lambda text: {"build": {"arguments": {"A": text}}, "build_commands": ["x"]},
    "a name of build.arguments": lambda text: {
        "build": {"arguments": {text: "x"}}, "build_commands": ["x"]
    },
    "build.secret_to_path_mapping": lambda text: {
        "build": {"secret_to_path_mapping": {"token": text}}, "build_commands": ["x"]
    },
    "a name of build.secret_to_path_mapping": lambda text: {
        "build": {"secret_to_path_mapping": {text: "/run/x"}}, "build_commands": ["x"]
    },
    "external_package_dirs": lambda text: {"external_package_dirs": [text]},
    **{f"external_data.{name}": lambda text, name=name: {"external_data": [{**FILE, name: text}]}
       for name in ("url", "local_data_path", "backend", "name")},
    **{f"weights.{name}": lambda text, name=name: {"weights": [{**WEIGHT, name: text}]}
       for name in ("source", "mount_location", "auth_secret_name")},
    "weights.auth": lambda text: {"weights": [{**WEIGHT, "source": "s3://b/p", "auth": {
        "auth_method": "CUSTOM_SECRET", "auth_secret_name": text}}]},
    "weights.auth.aws_assume_role_arn": lambda text: {"weights": [{**WEIGHT, "auth": {
        "auth_method": "AWS_ASSUME_ROLE", "aws_assume_role_arn": text,
        "aws_assume_role_region": text}}]},
    "weights.allow_patterns": lambda text: {"weights": [{**WEIGHT, "allow_patterns": [text]}]},
    **{f"model_cache.{name}": lambda text, name=name: {"model_cache": [{**CACHE, name: text}]}
       for name in ("repo_id", "revision", "volume_folder", "runtime_secret_name", "kind")},
    "model_cache in the image": lambda text: {"model_cache": [
        {"repo_id": f"s3://{text}", "use_volume": False, "kind": "s3"}]},
    "model_metadata.tags": lambda text: {"model_metadata": {"tags": [text]}},
    "model_metadata": lambda text: {"model_metadata": {text: text}},
    "model_metadata.example_model_input": at("model_metadata", "example_model_input"),
    **{f"runtime.egress_restrictions.{name}": lambda text, name=name: {
        "runtime": {"egress_restrictions": {name: [text]}}
    } for name in ("fqdn_allow_list", "ip_allow_list")},
    "runtime.transport.kind": lambda text: {"runtime": {"transport": {"kind": text}}},
    "runtime.truss_server_version_override": at("runtime", "truss_server_version_override"),
}  # fmt: skip

ENVOY = {"route": {"kind": "gateway", "name": "public", "controller": "envoy-gateway"}}
TRAEFIK = {"route": {"kind": "ingress", "controller": "traefik"}}
NGINX = {"route": {"kind": "ingress", "controller": "nginx"}}
FORWARD = {"kind": "forward", "service": "auth", "namespace": "auth"}

STAGE_FIELDS: dict[str, Callable[[str], Change]] = {
    **{name: at(name) for name in (
        "environment", "namespace", "registry", "domain", "pull_secret", "secrets_version",
        "builder", "network_policy", "replicas",
    )},
    **{f"pod.{name}": at("pod", name) for name in (
        "priority_class", "runtime_class", "service_account", "fs_group",
    )},
    **{f"a value of pod.{name}": at("pod", name, "a") for name in (
        "labels", "annotations", "node_selector",
    )},
    **{f"a name of pod.{name}": lambda text, name=name: {"pod": {name: {text: "x"}}} for name in (
        "labels", "annotations", "node_selector",
    )},
    **{f"pod.tolerations.{name}": lambda text, name=name: {
        "pod": {"tolerations": [{"key": "a", name: text}]}
    } for name in ("key", "value", "effect", "operator")},
    **{f"pod.{block}.{name}": at("pod", block, name) for block in ("requests", "limits")
       for name in ("cpu", "memory", "ephemeral_storage")},
    **{f"gpu.{name}": at("gpu", name) for name in ("taint", "runtime_class")},
    "gpu.resources": at("gpu", "resources", "L4"),
    **{f"route.{name}": at("route", name) for name in ("name", "namespace", "listener", "scheme")},
    "route.class_name": lambda text: {
        "route": {"kind": "ingress", "controller": "traefik", "class_name": text}
    },
    "gpu.label": lambda text: {"gpu": {"label": text, "products": {"L4": ["l4"]}}},
    "gpu.resource": at("gpu", "resource"),
    "gpu.products": lambda text: {"gpu": {"products": {"L4": [text]}}},
    "weights.image": at("weights", "image"),
    "weights.storage.size": lambda text: {"weights": {"storage": {"kind": "claim", "size": text}}},
    "weights.storage.storage_class": lambda text: {
        "weights": {"storage": {"kind": "claim", "storage_class": text}}
    },
    "weights.storage.claim": lambda text: {
        "weights": {"storage": {"kind": "existing", "claim": text}}
    },
    "weights.storage.path": lambda text: {"weights": {"storage": {"kind": "node", "path": text}}},
    "weights.environment_variables": lambda text: {
        "weights": {"environment_variables": {"A": text}}
    },
    "a name of weights.environment_variables": lambda text: {
        "weights": {"environment_variables": {text: "x"}}
    },
    "secrets.existing": lambda text: {"secrets": {"existing": text}},
    **{f"secrets.{name}": lambda text, name=name: {"secrets": {"store": "vault", name: text}}
       for name in ("store", "path", "refresh", "store_kind")},
    "auth": at("auth"),
    "auth.keys": lambda text: {**ENVOY, "auth": {"kind": "api-key", "keys": ["token", text]}},
    "auth.existing": lambda text: {**ENVOY, "auth": {"kind": "api-key", "existing": text}},
    **{f"auth.{name} by {way}": lambda text, name=name, route=route: {
        **route, "auth": {**FORWARD, name: [text] if name == "headers" else text}
    } for name in ("service", "namespace", "path", "headers")
      for way, route in {"Envoy": ENVOY, "Traefik": TRAEFIK, "nginx": NGINX}.items()},
    "peers by namespace": lambda text: {"ingress_from": [{"namespace": text}]},
    "peers by address": lambda text: {"ingress_from": [{"cidr": text}]},
    **{f"route.tls.{name}": lambda text, name=name: merged(
        TRAEFIK, {"route": {"tls": {name: text}}}
    ) for name in ("secret", "issuer")},
    "digests": lambda text: {"digests": {text: "sha256:" + "0" * 64}},
    "a value of digests": lambda text: {"digests": {"python:3.11-slim": text}},
    "a server's image": lambda text: {"servers": {"server": {"image": text}}},
}  # fmt: skip

ANY_STARTS = ["", "", "a", "/", "example.com", "A", "L4", "1", "token"]
STARTS = {
    "endpoint": ["/a", "/"],
    "start_command": ["serve ", "sh -c "],
    "image": ["python:3", "<a>/", "registry.example.com/", "a@sha256:"],
    "python_executable_path": ["/usr/bin/python"],
    "resources": ["1", "1Gi", "L4", "H100:2", "L4:4x16"],
    "docker_auth": ["token", "DOCKER_REGISTRY_a", "registry.example.com"],
    "secrets": ["token", "DOCKER_REGISTRY_a"],
    "requirements": ["six", "-r "],
    "secret_to_path_mapping": ["token", "/run/"],
    "external_data.url": ["https://example.com/"],
    "external_data.local": ["a/"],
    "weights.source": ["hf://a/b", "s3://b/", "https://example.com/"],
    "mount_location": ["/models/"],
    "model_cache": ["a/b", "s3://b/", "token"],
    "fqdn": ["example.com", "*.example.com"],
    "ip_allow": ["10.0.0.0/8"],
    "version": ["0.9.0", "py311"],
    "kind": ["http", "grpc"],
    "registry": ["registry.example.com/"],
    "gpu": ["example.com/gpu", "l4"],
    "size": ["1Gi"],
    "storage.path": ["/data/"],
    "secrets.path": ["models/"],
    "refresh": ["1h", "9"],
    "auth.path": ["/verify"],
    "auth.headers": ["X-User"],
    "peers by address": ["10.0.0.0/8", "fd00::/8", "::1"],
}
"""The beginnings of valid values, by a part of the field's name."""


def text_for(field: str) -> st.SearchStrategy[str]:
    """Texts of which most begin so that the field may take them."""
    own = [start for part, starts in STARTS.items() if part in field for start in starts]
    pieces = st.sampled_from(PIECES) | st.text(st.characters(codec="utf-8"), max_size=6)

    def joined(start: str, ends: list[str]) -> str:
        return start + "".join(ends)

    return st.builds(
        joined,
        st.sampled_from(own or ANY_STARTS) | st.sampled_from(ANY_STARTS),
        st.lists(pieces, min_size=1, max_size=3),
    )


def text_for_each(fields: Mapping[str, object]) -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries({field: text_for(field) for field in fields})


WAYS: list[Change] = [
    {},
    {"secrets": {"existing": "mine"}},
    {**TRAEFIK, "auth": FORWARD, "secrets": {"store": "vault", "path": "models/"}},
    {**NGINX, "auth": FORWARD, "replicas": 3},
    {
        "builder": "buildkit",
        "network_policy": "cilium",
        "ingress_from": [{"namespace": "gateways"}],
    },
    {"route": {"kind": "none"}},
]
"""Stages that spell the same things in different words."""


def planned(
    workspace: Workspace, config: Change, stage: Change
) -> tuple[list[Plan], list[Problem]]:
    """The plans of a small config and stage with changes, where no problem is an error."""
    base = {name: value for name, value in STAGE.items() if name not in stage or name == "route"}
    if stage.get("route", {}).get("kind"):
        del base["route"]
    changes = merged({**base, "servers": {"server": {"path": "server"}}}, stage)
    workspace.write_config(config)
    workspace.stack.write_text(yaml.safe_dump({"config": {stack_file.STAGE: changes}}))
    try:
        plans, problems = plans_of(stack_file.read_stack(workspace.stack))
    except ProblemError as error:
        return [], list(error.problems)
    return ([] if errors(problems) else list(plans.values())), problems


def read_otherwise(problem: Problem) -> Iterator[str]:
    """Yields what a terminal or a shell would do with a problem besides showing it."""
    if not problem.text.isprintable():
        yield f"not a line of plain text: {problem.text!r}"
    if problem.fix.startswith("run: pulumi "):
        words = shlex.split(problem.fix.removeprefix("run: "))
        if words[:5] != ["pulumi", "config", "set", "--secret", "--path"] or len(words) != 6:
            yield f"a command of other words: {problem.fix!r}"


def kinds(build: Build) -> list[str]:
    """The instructions that a build has by what it is made of, whatever the texts are."""
    copies = len({folder.place for folder in build.folders if folder.files})
    if build.bare:
        return ["FROM", *["COPY"] * copies]
    return [
        *["FROM", "USER", "ENV", "ENV", "RUN", "RUN", "RUN"],
        *["RUN"] * (build.user is None),
        *["COPY", "RUN"] * bool(build.system_packages),
        *["RUN"] * len(build.tools),
        *["COPY", "RUN"] * bool(build.requirements),
        *["RUN"] * len(build.downloads),
        *["COPY"] * copies,
        *["RUN"] * (len(build.commands) + 1),
        *["RUN", "USER"] * (build.user is not None),
    ]


def built_otherwise(build: Build, base: str) -> Iterator[str]:
    """Yields the instructions of the Dockerfile that the build does not explain."""
    text = build_context.dockerfile(build, base)
    directives, instructions = dockerfiles.read(text)
    if directives or [made.kind for made in instructions] != kinds(build):
        yield f"other instructions: {text}"
        return
    if instructions[0].rest != base:
        yield f"another base: {instructions[0]}"
    runs = [made for made in instructions if made.kind == "RUN"]
    for made, words in zip(runs, expected_runs(build, base), strict=True):
        if made.argv != ["/bin/sh", "-c", words]:
            yield f"another command: {made} and not {words!r}"
    for url, path in build.downloads:
        if not any(shlex.split(made.argv[2])[-4:] == ["-o", path, "--", url] for made in runs):
            yield f"another download: {url!r} to {path!r}"


def expected_runs(build: Build, base: str) -> Iterator[str]:
    """The commands of a build with harmless texts, and in them the texts as words of a shell."""
    texts = {"NAME": build.python, **{f"VALUE-{name}": v for name, v in build.arguments.items()}}
    for i, (url, path) in enumerate(build.downloads):
        folder, _, _ = path.rpartition("/")
        texts |= {f"URL-{i}": url, f"/FOLDER-{i}/FILE": path, f"/FOLDER-{i}": folder}
    harmless = build._replace(
        python="NAME",
        arguments={name: f"VALUE-{name}" for name in build.arguments},
        downloads=tuple((f"URL-{i}", f"/FOLDER-{i}/FILE") for i, _ in enumerate(build.downloads)),
        commands=("COMMAND",) * len(build.commands),
    )
    _, instructions = dockerfiles.read(build_context.dockerfile(harmless, base))
    commands = iter(build.commands)
    for run in (made.argv[2] for made in instructions if made.kind == "RUN"):
        head = run.removesuffix("COMMAND")
        for word, text in texts.items():
            head = head.replace(word, shlex.quote(text))
        yield head + next(commands) if run.endswith("COMMAND") else head


def spelled_otherwise(plan: Plan) -> Iterator[str]:
    """Yields the parts of the objects that differ from the plan."""
    made = render.objects(plan)
    for manifest in made:
        yield from misfits(manifest)
    (deployment,) = (manifest for manifest in made if manifest["kind"] == "Deployment")
    template = deployment["spec"]["template"]
    annotations = template["metadata"]["annotations"]
    if yaml.safe_load(annotations[CONFIG_ANNOTATION]) != plan.files.config:
        yield f"another config: {annotations[CONFIG_ANNOTATION]!r}"
    if TRANSFER_ANNOTATION in annotations and annotations[TRANSFER_ANNOTATION].count("\n") != 4:
        yield f"another script: {annotations[TRANSFER_ANNOTATION]!r}"
    (server,) = template["spec"]["containers"]
    if tuple(map(expanded, server.get("command", ()))) != plan.command.argv:
        yield f"another command: {server['command']!r}"
    texts = [entry for entry in server["env"] if entry["name"] not in POD_FIELDS]
    variables = {entry["name"]: expanded(entry["value"]) for entry in texts}
    if variables != plan.variables.texts:
        yield f"other variables: {server['env']!r}"


def expanded(text: str) -> str:
    """Returns a text as the kubelet expands it if no variable is set."""
    return re.sub(r"\$(\$|\([^)]*\))", lambda found: "$" if found[1] == "$" else "<value>", text)


def rendered_otherwise(plans: list[Plan]) -> Iterator[str]:
    """Yields what a reader of the rendered YAML finds besides the objects."""
    text = render.stream({plan.name: plan for plan in plans})
    objects: list[Manifest] = [manifests.namespace("models")] if plans else []
    for plan in plans:
        objects[:1] = [manifests.namespace(plan.namespace.name)] if plan.namespace.create else []
        objects += render.objects(plan)
    found = list(yaml.load_all(text, Loader=yaml.CSafeLoader))
    if found != objects:
        yield f"other objects: {text}"
    for note in re.findall(r"^# Needs the Secret \S+; make it by: (.*)$", text, re.MULTILINE):
        words = shlex.split(note)
        options = [word for word in words if word.startswith("--")]
        plain = [word for word in words if word not in (*options, "…")]
        if words[:3] != ["kubectl", "create", "secret"] or len(plain) != 7:
            yield f"a command of other words: {note!r}"


def shown_otherwise(plans: list[Plan]) -> Iterator[str]:
    """Yields what the table of `explain` does to a terminal besides showing text."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        explain.text({plan.name: plan for plan in plans})
    odd = {char for char in output.getvalue() if not char.isprintable() and char != "\n"}
    if odd:
        yield f"characters for the terminal: {odd}"


def otherwise(workspace: Workspace, config: Change, stage: Change) -> list[str]:
    """Everything that a config and a stage make beyond what they are to make."""
    plans, problems = planned(workspace, config, stage)
    found = [text for problem in problems for text in read_otherwise(problem)]
    for plan in plans:
        if plan.image.build is not None:
            found += built_otherwise(plan.image.build, plan.digest.reference)
        found += spelled_otherwise(plan)
    return [*found, *rendered_otherwise(plans), *shown_otherwise(plans)]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace(tmp_path_factory.mktemp("hostile"))
    made.write_config()
    made.write_stack()
    return made


@hostile(0.4 / len(CONFIG_FIELDS), shrinks=False)
@given(text_for_each(CONFIG_FIELDS), st.sampled_from(WAYS))
def test_a_text_in_a_config_stays_a_text(
    workspace: Workspace, texts: dict[str, str], way: Change
) -> None:
    for field, text in texts.items():
        assert otherwise(workspace, CONFIG_FIELDS[field](text), way) == [], (field, text, way)
    tried(
        "hostile-config",
        "texts of an attacker in a field of a config",
        "data, or refused",
        len(texts),
    )


@hostile(0.1 / len(STAGE_FIELDS), shrinks=False)
@given(text_for_each(STAGE_FIELDS))
def test_a_text_in_a_stage_stays_a_text(workspace: Workspace, texts: dict[str, str]) -> None:
    config = {"resources": {"accelerator": "L4"}, "weights": [WEIGHT], "secrets": {"token": None}}
    for field, text in texts.items():
        assert otherwise(workspace, config, STAGE_FIELDS[field](text)) == [], (field, text)
    tried(
        "hostile-stage",
        "texts of an attacker in a field of a stage",
        "data, or refused",
        len(texts),
    )
