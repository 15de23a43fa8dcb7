"""The plan as a table that a person reads in one look."""

import json
import shlex

from rich.console import Console
from rich.table import Table

from trussform import manifests
from trussform.plan import Plan
from trussform.problem import printable
from trussform.redact import redact_words

_MAX_BODY = 2_000
"""Characters of an example input that a table can hold."""


def show(plans: dict[str, Plan]) -> None:
    console = Console()
    for name, plan in plans.items():
        title = printable(f"{name} in {plan.labels.environment}")
        table = Table(title=title, title_justify="left", show_lines=True)
        table.add_column("decision", no_wrap=True)
        table.add_column("value", overflow="fold")
        table.add_column("reason", overflow="fold")
        for row in rows(plan):
            table.add_row(*(printable(text, besides="\n") for text in row))
        console.print(table, markup=False)


def rows(plan: Plan) -> list[tuple[str, str, str]]:
    """Returns each decision as its name, its value and its reason; then a request to try."""
    decided = [(name, str(decision), decision.why) for name, decision in plan.decisions]
    return [*decided, ("try it", *_request(plan))]


def _request(plan: Plan) -> tuple[str, str]:
    """Returns a command that calls the server with the config's own example input."""
    if plan.routes.protocol == "grpc":
        return "-", "a gRPC client brings its own stubs"
    values = manifests.deploy_values(plan, lambda *parts: "".join(map(str, parts)))
    url = f"{manifests.origin(plan, values)}{plan.routes.predict_path}"
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
