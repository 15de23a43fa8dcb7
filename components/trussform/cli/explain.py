"""The plan for a person to read: a picture and a table, or one of them in a file format."""

import json
import shlex
from collections.abc import Iterable, Mapping
from io import StringIO
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.terminal_theme import DEFAULT_TERMINAL_THEME

from trussform import manifests
from trussform.cli.picture import picture
from trussform.cli.render import known_values, objects
from trussform.plan import Plan
from trussform.problem import printable
from trussform.redact import redact_words

Plans = Mapping[str, Plan]
_MAX_BODY = 2_000
"""Characters of an example input that a table can hold."""
_WIDTH = 120
"""The width of a picture in a file, in characters."""
_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="-10 0 {width} {terminal_height}">
<style>
.{unique_id}-matrix {{ font: {char_height}px monospace; }}
{styles}
</style>
<defs>
{lines}
</defs>
<rect x="-10" y="0" width="100%" height="100%" fill="#ffffff"/>
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</svg>
"""
"""The frame of a drawing. Rich's own loads a font from the internet."""


def text(plans: Plans) -> None:
    """Prints a picture and a table of each server."""
    _print_all(Console(), plans)


def svg(plans: Plans) -> str:
    """Returns a drawing of the servers' pictures, which needs no file besides."""
    console = _recorder()
    for name, plan in plans.items():
        console.print(picture(name, plan), markup=False)
    return console.export_svg(code_format=_SVG, theme=DEFAULT_TERMINAL_THEME)


def html(plans: Plans) -> str:
    """Returns a page with a picture and a table of each server."""
    console = _recorder()
    _print_all(console, plans)
    return console.export_html(inline_styles=True)


def _recorder() -> Console:
    return Console(record=True, width=_WIDTH, file=StringIO(), color_system="truecolor")


def data(plans: Plans) -> dict[str, Any]:
    """Returns the decisions, the steps of an update and the objects of each server."""
    return {
        name: {
            "environment": plan.labels.environment,
            "decisions": [
                {"name": decision, "value": value, "reason": reason}
                for decision, value, reason in rows(plan)
            ],
            "update": [
                {"step": step, "seconds": seconds} for step, seconds in plan.deadlines.steps
            ],
            "downtime_seconds": plan.rollout.downtime,
            "objects": [
                {"kind": made["kind"], "name": made["metadata"]["name"]} for made in objects(plan)
            ],
        }
        for name, plan in plans.items()
    }


def rows(plan: Plan) -> list[tuple[str, str, str]]:
    """Returns each decision as its name, its value and its reason; then a request to try."""
    decided = [(name, str(decision), decision.why) for name, decision in plan.decisions]
    return [*decided, ("try it", *_request(plan))]


def _print_all(console: Console, plans: Plans) -> None:
    for name, plan in plans.items():
        console.print(picture(name, plan), markup=False)
        *decisions, (label, command, reason) = rows(plan)
        console.print(_table(decisions), markup=False)
        # A command that is broken into lines cannot be copied.
        line = printable(f"{label}: {command}    # {reason}")
        console.print(line, markup=False, highlight=False, soft_wrap=True)
        console.print()


def _table(decisions: Iterable[tuple[str, str, str]]) -> Table:
    table = Table(show_lines=True)
    table.add_column("decision", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("reason", overflow="fold")
    for row in decisions:
        table.add_row(*(printable(cell, besides="\n") for cell in row))
    return table


def _request(plan: Plan) -> tuple[str, str]:
    """Returns a command that calls the server with the config's own example input."""
    if plan.routes.protocol == "grpc":
        return "-", "a gRPC client brings its own stubs"
    url = f"{manifests.origin(plan, known_values(plan))}{plan.routes.predict_path}"
    if plan.auth.kind == "api-key":
        url += ' -H "Authorization: Bearer $API_KEY"'
    if plan.labels.example is None:
        return f"curl {url}", "the config has no model_metadata.example_model_input"
    body = json.dumps(plan.labels.example, ensure_ascii=False, default=str)
    if len(body) > _MAX_BODY:
        return f"curl {url} --json @FILE", f"its example input has {len(body):,} characters"
    return (
        f"curl {url} --json {shlex.quote(redact_words(body))}",
        "model_metadata.example_model_input",
    )
