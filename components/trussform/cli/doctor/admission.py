"""The cluster's own verdict on the objects and the pods: a server-side dry run."""

from collections.abc import Iterator, Mapping
from typing import Any

from trussform.cli.doctor.api import kind_of, needed_kinds, served_kinds
from trussform.cli.doctor.finding import Finding
from trussform.cli.doctor.kubectl import Kubectl
from trussform.cli.render import objects
from trussform.manifests import Manifest
from trussform.plan import Plan
from trussform.problem import counted

_APPLY = ("apply", "--server-side", "--force-conflicts", "--field-manager=trussform-doctor")
_FIXES = {
    "PodSecurity": "set `run_as_user_id` in the config, or lower the level of the namespace",
    "exceeded quota": "raise the ResourceQuota, or lower `pod.requests` of the stage",
    "must specify": "set the missing amounts in `pod.requests` and `pod.limits` of the stage",
    "per Container": "set `pod.requests` and `pod.limits` of the stage within the LimitRange",
    "per Pod": "set `pod.requests` and `pod.limits` of the stage within the LimitRange",
    "PriorityClass": "correct `pod.priority_class` of the stage",
    "RuntimeClass": "correct `pod.runtime_class` or `gpu.runtime_class` of the stage",
    "service account": "correct `pod.service_account` of the stage",
    "(Forbidden)": "ask for the right to create these objects, or let an administrator deploy",
}
"""The remedy for each part of an answer of the cluster, the most specific first."""


def check_admission(plans: Mapping[str, Plan], kubectl: Kubectl) -> Iterator[Finding]:
    """Yields a problem for each object and each pod that the cluster would reject.

    A namespace that does not exist has no quotas and no Pod Security level; its servers are left
    out.
    """
    names = {plan.namespace.name for plan in plans.values()}
    existing = {name for name in names if kubectl.has("namespace", name, None)}
    here = [plan for plan in plans.values() if plan.namespace.name in existing]
    if not here:
        return
    served = served_kinds(needed_kinds(plans), kubectl)
    wanted = [one for plan in here for one in objects(plan)]
    made = [one for one in wanted if kind_of(one) in served]
    pods = [_pod(one) for one in wanted if one["kind"] == "Deployment"]
    lines = [
        *kubectl.try_out(made, *_APPLY),
        *kubectl.try_out(pods, "create"),
    ]
    if any("violates PodSecurity" in line for line in lines):
        # The cluster says the same about the Deployment, as a warning.
        lines = [line for line in lines if "would violate PodSecurity" not in line]
    for line in dict.fromkeys(lines):
        level, text = _read(line)
        fix = next((fix for part, fix in _FIXES.items() if part in line), "see `trussform render`")
        yield Finding(level, "admission", text, fix)
    if not lines:
        count = f"{counted(len(made), 'object')} and {counted(len(pods), 'pod')}"
        yield Finding("fine", "admission", f"the cluster accepts {count} in a dry run")


def _pod(deployment: Manifest) -> Manifest:
    """Returns a pod as the Deployment would create it."""
    about, template = deployment["metadata"], deployment["spec"]["template"]
    place = {"name": f"{about['name']}-doctor", "namespace": about["namespace"]}
    metadata = {**template["metadata"], **place}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def _read(line: str) -> tuple[Any, str]:
    """Returns the level and the text of a line of kubectl."""
    if line.startswith("Warning:"):
        return "warning", line.removeprefix("Warning:").strip()
    _, _, text = line.rpartition('"STDIN": ')
    return "problem", text or line
