"""A server as a picture: its parts, and the timeline of an update. Rich draws it."""

from collections.abc import Iterable

from rich import box
from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from trussform import manifests
from trussform.cli.render import known_values
from trussform.plan import Plan
from trussform.problem import counted, printable

_ARROW = Text("─▶", style="bold")


def picture(name: str, plan: Plan) -> RenderableType:
    """Returns the parts of a server, with arrows towards its pods, and the steps of an update."""
    sources = Table.grid(padding=(0, 1))
    sources.add_column(ratio=1)
    sources.add_column(vertical="middle")
    sources.add_column(ratio=1)
    for before, after in _sources(name, plan):
        sources.add_row(before, _ARROW, after)
    parts = Table.grid(padding=(0, 1), expand=True)
    parts.add_column(ratio=2)
    parts.add_column(vertical="middle")
    parts.add_column(ratio=1, vertical="middle")
    parts.add_row(sources, _ARROW, _pods(plan))
    title = Text(printable(f"{name} in {plan.labels.environment}"), style="bold")
    return Group(title, parts, _timeline(plan))


def _box(title: str, lines: Iterable[str], color: str = "") -> Panel:
    text = Text("\n".join(printable(line) for line in lines if line), overflow="fold")
    return Panel(text, title=title, title_align="left", box=box.ROUNDED, border_style=color)


def _sources(name: str, plan: Plan) -> Iterable[tuple[Panel, Panel]]:
    """Yields each origin of a pod's part, and the part."""
    digest = str(plan.digest) if plan.digest.digest or plan.digest.look_up else ""
    yield (
        _box("config", (name, "config.yaml and stage"), "blue"),
        _box("image", (str(plan.image), digest), "blue"),
    )
    if plan.secrets.any:
        values = (f"/secrets/{secret}" for secret in plan.secrets.names + plan.secrets.undeclared)
        yield (
            _box("secrets", (_SECRETS[plan.secrets.source],), "magenta"),
            _box("Secret", values, "magenta"),
        )
    if plan.weights.volume:
        origins = (source.source for source in plan.weights.sources)
        yield (
            _box("weights", origins, "yellow"),
            _box("volume", (str(plan.weights.volume),), "yellow"),
        )
    yield _box("clients", (_callers(plan),), "green"), _route(plan)


_SECRETS = {
    "none": "",
    "pulumi": "values of this stack",
    "existing": "an existing Secret",
    "store": "a store, by External Secrets",
}


def _callers(plan: Plan) -> str:
    if plan.routes.kind == "none":
        return "inside the cluster"
    return "everyone, without auth" if plan.auth.kind == "none" else str(plan.auth)


def _route(plan: Plan) -> Panel:
    """Returns the route and its Service; without a route, the Service alone."""
    url = (manifests.origin(plan, known_values(plan)), plan.routes.predict_path)
    service = f"Service {plan.name}"
    if plan.routes.kind == "none":
        return _box("Service", (plan.name, *url), "green")
    kind = "Ingress" if plan.routes.kind == "ingress" else "Gateway"
    return _box("route", (f"{kind} ─▶ {service}", *url), "green")


def _pods(plan: Plan) -> Panel:
    replicas = plan.rollout.replicas
    gpus = f"{plan.gpu.resource}: {plan.gpu.per_pod}" if plan.gpu.per_pod else "no GPU"
    each = (
        f"port {plan.probes.port}",
        gpus,
        *(f"{name} {amount}" for name, amount in plan.resources.requests.items()),
        str(plan.rollout).partition("; ")[2],
    )
    title = "pods, autoscaled" if replicas is None else counted(replicas, "pod")
    if plan.autoscaling.metric != "none":
        title = f"{plan.autoscaling.minimum} to {counted(plan.autoscaling.maximum, 'pod')}"
    return _box(title, each, "cyan")


def _timeline(plan: Plan) -> RenderableType:
    """Returns the steps of an update below each other, each at its latest."""
    steps = plan.deadlines.steps
    total = sum(seconds for _, seconds in steps)
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    table.add_column(justify="right", no_wrap=True)
    begin = 0
    for name, seconds in steps:
        bar = Bar(total, begin, begin + seconds, color="cyan")
        table.add_row(name, bar, f"{seconds} s")
        begin += seconds
    if downtime := plan.rollout.downtime:
        table.add_row("downtime", Bar(total, 0, downtime, color="red"), f"{downtime} s")
    title = "update of one pod: each step takes this long at most"
    return Panel(table, title=title, title_align="left", box=box.ROUNDED)
