"""The plan as a table that a person reads in one look."""

import json
import shlex

from rich.console import Console
from rich.table import Table

from trussform import manifests
from trussform.manifests.metadata import EXAMPLE
from trussform.plan import Plan
from trussform.problem import printable
from trussform.redact import redact_words

_MAX_BODY = 2_000
"""Characters of an example input that a table can hold."""


def show(plans: dict[str, Plan]) -> None:
    console = Console()
    for name, plan in plans.items():
        title = printable(f"{name} in {plan.environment}")
        table = Table(title=title, title_justify="left", show_lines=True)
        table.add_column("decision", no_wrap=True)
        table.add_column("is", overflow="fold")
        table.add_column("because", overflow="fold")
        for row in rows(plan):
            table.add_row(*(printable(text, besides="\n") for text in row))
        console.print(table, markup=False)


def rows(plan: Plan) -> list[tuple[str, str, str]]:
    """Each decision: its name, what it is, and why."""
    image, rollout, fetcher = plan.image, plan.rollout, plan.weights.fetcher
    return [
        ("image", str(image), image.why),
        ("pull", str(plan.pull), plan.pull.why),
        ("digest", image.base.digest or "not known yet", image.base.why),
        ("command", str(plan.command), plan.command.why),
        (
            "variables",
            _variables(plan),
            "as Baseten and the servers need them, then the config's, null as None",
        ),
        ("concurrency", str(plan.concurrency), "predict_concurrency: a hint; nothing enforces it"),
        ("size", str(plan.size), plan.size.why),
        ("gpu", str(plan.gpu), plan.gpu.why),
        ("probes", str(plan.probes), plan.probes.why),
        ("weights", str(plan.weights), plan.weights.why),
        *([("fetcher", fetcher.reference, fetcher.why)] if fetcher else []),
        ("rollout", str(rollout), rollout.why),
        ("drain", rollout.draining, rollout.why_drain),
        ("deadlines", rollout.deadlines, rollout.why_deadlines),
        ("secrets", str(plan.secrets), plan.secrets.why),
        ("user", str(plan.user), plan.user.why),
        ("files", str(plan.files), plan.files.why),
        ("routes", str(plan.routes), plan.routes.why),
        ("access", str(plan.access), plan.access.why),
        ("peers", str(plan.peers), plan.peers.why),
        ("egress", str(plan.egress), plan.egress.why),
        ("try it", *_request(plan)),
    ]


def _variables(plan: Plan) -> str:
    return ", ".join(f"{name}={text}" for name, text in plan.environment_variables.items())


def _request(plan: Plan) -> tuple[str, str]:
    """The command that asks the server, with the config's own example of an input."""
    if plan.routes.protocol == "grpc":
        return "-", "a gRPC client brings its own stubs"
    values = manifests.values(plan, lambda *parts: "".join(map(str, parts)))
    url = f"{manifests.origin(plan, values)}{plan.routes.predict_path}"
    if plan.access.kind == "api-key":
        url += ' -H "Authorization: Bearer $API_KEY"'
    if EXAMPLE not in plan.model_metadata:
        return f"curl {url}", "the config has no model_metadata.example_model_input"
    body = json.dumps(plan.model_metadata[EXAMPLE], ensure_ascii=False, default=str)
    if len(body) > _MAX_BODY:
        return f"curl {url} --json @FILE", f"its example input has {len(body):,} characters"
    return (
        f"curl {url} --json {shlex.quote(redact_words(body))}",
        "model_metadata.example_model_input",
    )
