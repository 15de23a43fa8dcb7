"""The commands: what the library decides, shown without Pulumi, cluster or network."""

import json
import sys
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from trussform import planning, stack_file
from trussform.cli.annotations import annotation
from trussform.config import Config
from trussform.plan import Plan
from trussform.problem import Location, Problem, ProblemError, as_errors, counted, errors
from trussform.schema import Model, json_schema
from trussform.stage import Stage
from trussform.version import __version__

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Stack = Annotated[
    str | None,
    typer.Option(
        metavar="STACK",
        help="A stack's name (dev) or its file (stacks/Pulumi.dev.yaml). Default: the stack that "
        "`pulumi stack select` has chosen.",
    ),
]
Paths = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[PATH]...", help="A config.yaml or its folder. Default: the stack's."),
]

Context = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="A context of the kubeconfig. Default: kubectl's current context."
    ),
]


class Format(StrEnum):
    text = "text"
    json = "json"
    github = "github"


class View(StrEnum):
    text = "text"
    svg = "svg"
    html = "html"
    json = "json"


class Schema(StrEnum):
    config = "config"
    stage = "stage"


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"trussform {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_show_version, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Check, explain and render Truss config.yaml files before `pulumi up`."""


@app.command()
def init(
    folder: Annotated[
        Path, typer.Argument(metavar="[FOLDER]", help="The folder above the configs. Default: .")
    ] = Path(),
    environment: Annotated[str, typer.Option(help="The name of the environment and stack.")] = "",
    namespace: Annotated[str, typer.Option(help="The namespace of the servers.")] = "",
    gateway: Annotated[
        str, typer.Option(metavar="NAMESPACE/NAME", help="The Gateway of the routes, or none.")
    ] = "",
    domain: Annotated[str, typer.Option(help="A server has the host NAME.DOMAIN.")] = "",
    auth: Annotated[str, typer.Option(help="api-key, or none to accept all requests.")] = "",
    registry: Annotated[
        str, typer.Option(metavar="HOST/PATH", help="The registry of the built images.")
    ] = "",
    dialect: Annotated[
        str, typer.Option(help="The labels of GPU nodes: gpu-feature-discovery, gke, eks, …")
    ] = "",
    context: Context = None,
) -> None:
    """Write a Pulumi project and a stage for the configs of a folder. Never overwrites a file.

    Asks for the settings that are not given. If kubectl reaches a cluster, suggests its Gateway and
    the labels of its GPU nodes. Without a terminal, takes the suggestions.
    """
    from trussform.cli import init as initial  # Imported here, as it reads a cluster.
    from trussform.cli.suggestions import read_cluster

    unanswered: list[str] = []

    def ask(question: str, suggested: str) -> str:
        if sys.stdin.isatty():
            return typer.prompt(question, default=suggested or None)
        unanswered.extend(() if suggested else (question,))
        return suggested

    given = initial.Settings(environment, namespace, gateway, domain, auth, registry, dialect)
    try:
        servers = initial.find_servers(folder)
        suggestions = read_cluster(context)
        settings = initial.complete(folder, given, servers, suggestions, ask)
        _stop([_unanswered(question) for question in unanswered])
        made = initial.project(folder, settings, servers, suggestions)
    except ProblemError as error:
        _stop(error.problems)
        raise AssertionError("unreachable") from error
    for file in initial.write(made):
        print(f"wrote {file}")
    for file in made.kept:
        print(initial.note(file, settings))
    print("next:")
    for command in initial.next_steps(folder, settings, servers):
        print(f"  {command}")


def _unanswered(question: str) -> Problem:
    word = question.split()[0].lower()
    fix = f"add `--{word}`"
    return Problem(None, (), f"no answer to: {question}", fix, location=Location("init"))


@app.command()
def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PATH]...",
            help="A config.yaml or its folder. Default: the servers of the stack.",
        ),
    ] = None,
    stack: Annotated[
        str | None,
        typer.Option(
            metavar="STACK",
            help="Check against the stage of this stack, overrides included: its name or its file. "
            "Default without a PATH: the stack that `pulumi stack select` has chosen.",
        ),
    ] = None,
    format: Annotated[
        Format, typer.Option(help="json: a list of objects. github: annotations of a pull request.")
    ] = Format.text,
) -> None:
    """Show every problem of configs at its file:line:column. Exits 1 on an error.

    With --stack, every problem that would stop `pulumi up` is an error.
    """
    problems = _check(paths or [], stack)
    if format is Format.json:
        print(json.dumps([problem.as_dict() for problem in problems], indent=2))
    else:
        for problem in problems:
            print(annotation(problem) if format is Format.github else problem)
        wrong = len(errors(problems))
        found = (counted(wrong, "error"), counted(len(problems) - wrong, "warning"))
        print(", ".join(found), file=sys.stderr)
    raise typer.Exit(1 if errors(problems) else 0)


@app.command()
def render(
    stack: Stack = None,
    paths: Paths = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write DIR/<server>/*.yaml. Default: all to stdout."),
    ] = None,
) -> None:
    """Write the Kubernetes objects as YAML, secrets by name only, and the Dockerfiles."""
    from trussform.cli import render as rendered  # Imported here, as a check spells nothing.

    plans = _planned(stack, paths)
    if out is None:
        sys.stdout.write(rendered.stream(plans))
        return
    try:
        for file in rendered.write(plans, out):
            print(file)
    except ProblemError as error:
        _stop(error.problems)
    except OSError as error:
        location = Location(str(error.filename))
        _stop([Problem(None, (), str(error.strerror), "name another DIR", location=location)])


@app.command()
def explain(
    stack: Stack = None,
    paths: Paths = None,
    format: Annotated[
        View, typer.Option(help="svg: a picture. html: a page. json: the decisions as data.")
    ] = View.text,
) -> None:
    """Show a picture of each server, and every decision with its reason."""
    from trussform.cli import explain as explained  # Imported here, as rich takes its time.

    plans = _planned(stack, paths)
    match format:
        case View.text:
            explained.text(plans)
        case View.svg:
            print(explained.svg(plans))
        case View.html:
            print(explained.html(plans))
        case View.json:
            print(json.dumps(explained.data(plans), indent=2, ensure_ascii=False))


@app.command()
def doctor(
    stack: Stack = None,
    paths: Paths = None,
    context: Context = None,
) -> None:
    """Compare a cluster with the demands of the servers, before `pulumi up`. Changes nothing.

    kubectl reads the cluster, with your own settings. Exits 1 on a problem.
    """
    from trussform.cli import doctor as doctors  # Imported here, as a check needs no cluster.

    levels: Counter[str] = Counter()
    try:
        for finding in doctors.examine(_planned(stack, paths), context):
            levels[finding.level] += 1
            print(finding)
    except doctors.KubectlError as error:
        _stop([Problem(None, (), error.message, error.fix, location=Location("kubectl"))])
    found = (counted(levels["problem"], "problem"), counted(levels["warning"], "warning"))
    print(", ".join(found), file=sys.stderr)
    raise typer.Exit(1 if levels["problem"] else 0)


@app.command()
def lock(stack: Stack = None) -> None:
    """Look up the digests of the servers' images, and write the stage's lock file."""
    from trussform.cli import lock as locking  # Imported here, as what asks registries is large.

    try:
        file = stack_file.named_stack_file(stack)
        read = stack_file.read_stack(file)
        planned = planning.plan_stack(read)
        _stop(errors(planned.problems))
        lock_file, changes = locking.lock(read, file, planned.plans)
    except ProblemError as error:
        _stop(error.problems)
        raise AssertionError("unreachable") from error
    for line in changes:
        print(line)
    print(f"wrote {lock_file}; commit it")


@app.command()
def schema(
    of: Annotated[Schema, typer.Argument(help="config: config.yaml. stage: trussform:stage.")],
) -> None:
    """Print the JSON Schema of a file, so that an editor completes it."""
    models: dict[Schema, type[Model]] = {Schema.config: Config, Schema.stage: Stage}
    print(json.dumps(json_schema(models[of]), indent=2))


def _check(paths: list[Path], stack: str | None) -> list[Problem]:
    try:
        if stack is not None or not paths:
            read = stack_file.read_stack(stack_file.named_stack_file(stack))
            problems = planning.plan_stack(read, paths).problems
            warnings = [problem for problem in problems if problem.level == "warning"]
            return [*as_errors(problems), *warnings]
        return [
            problem
            for path in dict.fromkeys(paths)
            for problem in planning.plan_stack(planning.without_stage(path), [path]).problems
        ]
    except ProblemError as error:
        return list(error.problems)


def _planned(stack: str | None, paths: list[Path] | None) -> dict[str, Plan]:
    try:
        read = stack_file.read_stack(stack_file.named_stack_file(stack))
        planned = planning.plan_stack(read, paths or [])
    except ProblemError as error:
        _stop(error.problems)
        raise AssertionError("unreachable") from error
    _stop(planned.problems)
    return planned.plans


def _stop(problems: list[Problem] | tuple[Problem, ...]) -> None:
    """Print the problems; with an error among them, end here."""
    for problem in problems:
        print(problem, file=sys.stderr)
    if errors(problems):
        raise typer.Exit(1)
