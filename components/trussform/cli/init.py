"""The command `init`: from a folder with configs to a project that deploys them."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from trussform import planning, stack_file
from trussform.cli.suggestions import Suggestions
from trussform.config.folder import CONFIG_FILE
from trussform.manifests.yaml_text import to_yaml
from trussform.plan import Plan
from trussform.problem import Location, Problem, ProblemError
from trussform.schema import fit
from trussform.source import Source, is_mapping
from trussform.stage import Stage
from trussform.version import REPOSITORY, __version__
from trussform.yaml_reader import read

Ask = Callable[[str, str], str]
"""Asks a question with a suggested answer, and returns the answer."""
_TEMPLATES = files("trussform.cli") / "templates"
_NOT_CONFIGS = ("node_modules", "venv", "out", "site-packages")


class Server(NamedTuple):
    """A config below the folder."""

    name: str
    path: Path
    """The path of its folder, relative to the project."""
    plan: Plan


class Settings(NamedTuple):
    """The answers that a stage needs; an empty text is not answered yet."""

    environment: str = ""
    namespace: str = ""
    gateway: str = ""
    """`NAMESPACE/NAME` of a Gateway, or `none`."""
    domain: str = ""
    auth: str = ""
    registry: str = ""
    dialect: str = ""


class Project(NamedTuple):
    """The files of a project that do not exist yet, and those that do."""

    files: Mapping[Path, str]
    kept: Sequence[Path]
    stack: Path


def find_servers(folder: Path) -> list[Server]:
    """Returns the servers below a folder; raises `ProblemError` if there are none.

    A server is a `config.yaml` with a `docker_server` block. It has the name of its folder.
    """
    found: dict[str, Server] = {}
    for file in sorted(folder.rglob(CONFIG_FILE)):
        path = file.parent.relative_to(folder)
        if any(part.startswith(".") or part in _NOT_CONFIGS for part in path.parts):
            continue
        data = read(file).data
        if not (is_mapping(data) and "docker_server" in data):
            continue
        name = file.parent.resolve().name
        if name in found:
            name = "-".join(path.parts)
        planned = planning.plan_stack(planning.without_stage(file.parent), [file.parent])
        if not planned.plans:
            raise ProblemError(planned.problems)
        (plan,) = planned.plans.values()
        found[name] = Server(name, path, plan)
    if not found:
        message = f"no `{CONFIG_FILE}` below this folder has a `docker_server` block"
        raise _error(folder, message, "name the folder that has your configs")
    return list(found.values())


def complete(
    folder: Path, given: Settings, servers: Sequence[Server], suggestions: Suggestions, ask: Ask
) -> Settings:
    """Returns the settings with an answer to each question that the servers raise."""
    answers = given._asdict()

    def need(field: str, question: str, suggested: str = "") -> str:
        answers[field] = answers[field] or ask(question, suggested)
        return answers[field]

    environment = need("environment", "Name of the environment", "dev")
    # The stacks of a project have the same servers, so each stack needs a namespace of its own.
    others = stack_file.project_file(folder) is not None
    need("namespace", "Namespace of the servers", f"models-{environment}" if others else "models")
    gateways = suggestions.gateways
    gateway = need(
        "gateway",
        "Gateway of the routes, as NAMESPACE/NAME, or none",
        next(iter(gateways), "none"),
    )
    if gateway != "none":
        need("domain", "Domain of the hosts: a server has the host NAME.DOMAIN")
        envoy = gateways.get(gateway, {}).get("controller") == "envoy-gateway"
        keys = "api-key" if envoy else "none"
        need("auth", "Auth of the requests: api-key, or none to accept all", keys)
    if any(server.plan.image.build for server in servers):
        need("registry", "Registry of the built images: HOST/PATH")
    if any(server.plan.gpu.per_pod for server in servers):
        dialect = suggestions.dialect or "gpu-feature-discovery"
        need("dialect", "Labels of the GPU nodes: gpu-feature-discovery, gke, eks, aks, karpenter",
             dialect)  # fmt: skip
    return Settings(**answers)


def project(
    folder: Path, settings: Settings, servers: Sequence[Server], suggestions: Suggestions
) -> Project:
    """Returns the files of a project.

    Raises `ProblemError` if the stack has a file already, or with every problem of the settings.
    """
    old = stack_file.project_file(folder)
    stack = folder / f"stacks/Pulumi.{settings.environment}.yaml"
    if old:
        stack = stack_file.stack_file(old, settings.environment)
    if stack.exists():
        fix = "edit it, or choose another name with `--environment`"
        raise _error(stack, "the stack has a file, and `init` never overwrites", fix)
    stage = _stage(settings, servers, suggestions)
    fit(Stage, Source(stage, Location("init")))
    name = re.sub(r"[^-_.a-z0-9]+", "-", folder.resolve().name.lower()).strip("-") or "models"
    made = {
        old or folder / "Pulumi.yaml": _template("Pulumi.yaml").replace("NAME", name),
        folder / "__main__.py": _template("__main__.py"),
        folder / "requirements.txt": f"trussform @ git+{REPOSITORY}@v{__version__}\n",
        folder / ".gitignore": _template("gitignore"),
        folder / ".github/workflows/models.yml": _template("models.yml").replace(
            "STACKS", settings.environment
        ),
        stack: to_yaml({"config": {stack_file.STAGE: stage}}),
    }
    return Project(
        {file: text for file, text in made.items() if not file.exists()},
        [file for file in made if file.exists()],
        stack,
    )


def note(file: Path, settings: Settings) -> str:
    """Returns the reason why a file of the project stays, and what to add to it."""
    if file.name == "models.yml":
        return f"kept {file}, which exists; add {settings.environment} to each `matrix.stack`"
    return f"kept {file}, which exists"


def write(made: Project) -> Iterator[Path]:
    """Writes the files, and yields each path."""
    for file, text in made.files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x") as opened:
            opened.write(text)
        yield file


def next_steps(folder: Path, settings: Settings, servers: Iterable[Server]) -> Iterator[str]:
    """Yields the commands that deploy the project."""
    if not (folder / ".venv").exists():
        yield "python3 -m venv .venv && .venv/bin/pip install --requirement requirements.txt"
    yield f"pulumi stack init {settings.environment}"
    secrets = {name for server in servers for name in server.plan.secrets.names}
    if settings.auth == "api-key":
        secrets.add("client")
    for name in sorted(secrets):
        yield f"pulumi config set --secret --path '{stack_file.SECRETS}.{name}'"
    yield f"trussform doctor --stack {settings.environment}"
    yield "pulumi up"


def _stage(
    settings: Settings, servers: Iterable[Server], suggestions: Suggestions
) -> dict[str, Any]:
    stage: dict[str, Any] = {
        "environment": settings.environment,
        "namespace": settings.namespace,
        "route": {"kind": "none"},
    }
    if settings.gateway != "none":
        namespace, _, name = settings.gateway.rpartition("/")
        route: dict[str, Any] = {"kind": "gateway", "name": name}
        if namespace:
            route["namespace"] = namespace
        if settings.auth == "api-key":
            route["controller"] = "envoy-gateway"
        route |= suggestions.gateways.get(settings.gateway, {})
        keys = {"kind": "api-key", "keys": ["client"]}
        auth = keys if settings.auth == "api-key" else settings.auth
        stage |= {"route": route, "domain": settings.domain, "auth": auth}
    if settings.registry:
        stage["registry"] = settings.registry
    if settings.dialect:
        stage["gpu"] = {"dialect": settings.dialect}
    stage["servers"] = {server.name: {"path": server.path.as_posix()} for server in servers}
    return stage


def _template(name: str) -> str:
    return (_TEMPLATES / name).read_text()


def _error(place: Path, message: str, fix: str) -> ProblemError:
    return ProblemError([Problem(None, (), message, fix, location=Location(str(place)))])
