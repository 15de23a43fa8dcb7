"""Runs every check beside the others, and gives their findings in a fixed order."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from trussform.cli.doctor.admission import check_admission
from trussform.cli.doctor.api import MINIMUM, check_kinds
from trussform.cli.doctor.autoscaling import check_autoscaling
from trussform.cli.doctor.finding import Finding, not_checked
from trussform.cli.doctor.gateway import check_gateways
from trussform.cli.doctor.kubectl import Forbidden, Kubectl
from trussform.cli.doctor.namespaces import check_namespaces
from trussform.cli.doctor.nodes import check_nodes
from trussform.cli.doctor.owners import check_owners
from trussform.cli.doctor.references import check_references
from trussform.cli.doctor.registries import check_registries
from trussform.plan import Plan

Plans = Mapping[str, Plan]
Check = Callable[[Plans, Kubectl], Iterable[Finding]]

CHECKS: dict[str, Check] = {
    "API": check_kinds,
    "namespace": check_namespaces,
    "owners": check_owners,
    "Gateway": check_gateways,
    "autoscaling": check_autoscaling,
    "nodes": check_nodes,
    "existing objects": check_references,
    "admission": check_admission,
    "registry": check_registries,
}
"""The checks by subject, in the order of their findings. None changes the cluster."""


def examine(plans: Plans, context: str | None) -> Iterator[Finding]:
    """Yields the findings about the cluster of a context; None: the current context.

    Raises `KubectlError` if the cluster cannot be read.
    """
    kubectl = Kubectl(context)
    yield _version(kubectl)
    with ThreadPoolExecutor(len(CHECKS)) as pool:
        running = [pool.submit(_findings, name, plans, kubectl) for name in CHECKS]
        for result in running:
            yield from result.result()


def _version(kubectl: Kubectl) -> Finding:
    major, minor = kubectl.version()
    text = f"the kube-apiserver has version {major}.{minor}"
    if (major, minor) >= MINIMUM:
        return Finding("fine", "version", text)
    needed = ".".join(map(str, MINIMUM))
    return Finding("problem", "version", text, f"upgrade the cluster to {needed} or later")


def _findings(name: str, plans: Plans, kubectl: Kubectl) -> list[Finding]:
    """Returns the findings of one check; a warning if the user may not read what it needs."""
    try:
        return list(CHECKS[name](plans, kubectl))
    except Forbidden as error:
        return [not_checked(name, error)]
