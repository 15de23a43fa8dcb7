"""The namespaces of the servers."""

from collections.abc import Iterator, Mapping

from trussform.cli.doctor.finding import Finding
from trussform.cli.doctor.kubectl import Kubectl
from trussform.plan import Plan


def check_namespaces(plans: Mapping[str, Plan], kubectl: Kubectl) -> Iterator[Finding]:
    """Yields a problem for each namespace that neither exists nor is created by the program."""
    for name, create in {(plan.namespace.name, plan.namespace.create) for plan in plans.values()}:
        subject = f"namespace {name}"
        if kubectl.has("namespace", name, None):
            yield Finding("fine", subject, "exists")
        elif create:
            yield Finding("fine", subject, "does not exist; `pulumi up` creates it")
        else:
            fix = "create it, or set `create_namespace: true` in the stage"
            yield Finding("problem", subject, "does not exist", fix)
