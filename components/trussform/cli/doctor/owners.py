"""The owners of objects that a stack would create."""

from collections.abc import Iterator, Mapping
from typing import Any

from trussform.cli.doctor.finding import Finding
from trussform.cli.doctor.kubectl import Kubectl
from trussform.plan import Plan

_FIX = "use another `namespace` in the stage, or another name for the server"


def check_owners(plans: Mapping[str, Plan], kubectl: Kubectl) -> Iterator[Finding]:
    """Yields a problem for each server whose Deployment is another environment's.

    The API server would reject the changes of the stack.
    """
    for plan in plans.values():
        space = plan.namespace.name
        found: Any = kubectl.get("deployments.apps", plan.name, "-n", space)
        if found is None:
            continue
        owner = found["metadata"].get("labels", {}).get("trussform/environment")
        subject = f"Deployment {space}/{plan.name}"
        if owner is None:
            yield Finding("problem", subject, "is not from Trussform", _FIX)
        elif owner != plan.labels.environment:
            yield Finding("problem", subject, f"belongs to the environment `{owner}`", _FIX)
