"""The existing objects that a stack names."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

from trussform.cli.doctor.finding import Finding, not_checked
from trussform.cli.doctor.kubectl import Forbidden, Kubectl
from trussform.plan import Plan


class Reference(NamedTuple):
    """An object that must exist before a deploy."""

    kind: str
    """The kind, as kubectl accepts it: `secret`, `clusterissuer.cert-manager.io`."""
    namespace: str | None
    """None: the kind has no namespaces."""
    name: str
    field: str
    """The field of the stage that names it."""

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind.partition('.')[0]} {where}{self.name}"


def check_references(plans: Mapping[str, Plan], kubectl: Kubectl) -> Iterator[Finding]:
    """Yields a finding for each object that the stack names; Secrets are looked up by name."""
    wanted = dict.fromkeys(one for plan in plans.values() for one in references(plan))
    with ThreadPoolExecutor(8) as pool:
        yield from pool.map(partial(_finding, kubectl), wanted)
    if any(_needs_default_class(plan) for plan in plans.values()):
        yield _default_class(kubectl)


def references(plan: Plan) -> Iterator[Reference]:
    """Yields the objects that the stage names for one server."""
    namespace = plan.namespace.name
    for kind, name, field in (
        ("secret", plan.pull.existing, "pull_secret"),
        ("secret", _existing_secret(plan), "secrets.existing"),
        ("secret", plan.auth.existing, "auth.existing"),
        ("secret", _existing_certificate(plan), "route.tls.secret"),
        ("serviceaccount", plan.security.service_account, "pod.service_account"),
        ("persistentvolumeclaim", _existing_claim(plan), "weights.storage.claim"),
    ):
        if name is not None:
            yield Reference(kind, namespace, name, field)
    for kind, name, field in (
        ("priorityclass", plan.pod.priority_class, "pod.priority_class"),
        ("runtimeclass", plan.pod.runtime_class, "pod.runtime_class or gpu.runtime_class"),
        ("storageclass", _storage_class(plan), "weights.storage.storage_class"),
        ("ingressclass", plan.routes.ingress_class, "route.class_name"),
    ):
        if name is not None:
            yield Reference(kind, None, name, field)
    if plan.auth.forward is not None:
        service = plan.auth.forward
        yield Reference("service", service.namespace, service.service, "auth.service")
    if plan.routes.tls is not None and plan.routes.tls.issuer is not None:
        kind, issuer = plan.routes.tls.issuer_kind, plan.routes.tls.issuer
        where = namespace if kind == "Issuer" else None
        yield Reference(f"{kind.lower()}.cert-manager.io", where, issuer, "route.tls.issuer")
    if plan.secrets.any and plan.secrets.store is not None:
        kind, store = plan.secrets.store.kind, plan.secrets.store.name
        where = namespace if kind == "SecretStore" else None
        yield Reference(f"{kind.lower()}.external-secrets.io", where, store, "secrets.store")


def _existing_secret(plan: Plan) -> str | None:
    """Returns the Secret of `secrets: {existing: NAME}` if the server has any secret."""
    secrets = plan.secrets
    return secrets.secret if secrets.any and secrets.source == "existing" else None


def _existing_certificate(plan: Plan) -> str | None:
    tls = plan.routes.tls
    return tls.secret if tls is not None and tls.issuer is None else None


def _existing_claim(plan: Plan) -> str | None:
    volume = plan.weights.volume
    return volume.claim if volume is not None and volume.kind == "existing" else None


def _storage_class(plan: Plan) -> str | None:
    volume = plan.weights.volume
    return volume.storage_class if volume is not None and volume.kind == "claim" else None


def _needs_default_class(plan: Plan) -> bool:
    volume = plan.weights.volume
    return volume is not None and volume.kind == "claim" and volume.storage_class is None


def _finding(kubectl: Kubectl, one: Reference) -> Finding:
    try:
        found = kubectl.has(one.kind, one.name, one.namespace)
    except Forbidden as error:
        return not_checked(str(one), error)
    if found:
        return Finding("fine", str(one), "exists")
    fix = f"create it, or correct `{one.field}` of the stage"
    return Finding("problem", str(one), "does not exist", fix)


def _default_class(kubectl: Kubectl) -> Finding:
    """Returns a problem if a claim without a class would stay pending."""
    found: Any = kubectl.get("storageclasses") or {"items": []}
    mark = "storageclass.kubernetes.io/is-default-class"
    for one in found["items"]:
        if one["metadata"].get("annotations", {}).get(mark) == "true":
            return Finding("fine", "StorageClass", f"`{one['metadata']['name']}` is the default")
    names = ", ".join(one["metadata"]["name"] for one in found["items"]) or "NAME"
    fix = f"set `weights.storage.storage_class` of the stage: {names}"
    return Finding("problem", "StorageClass", "the cluster has no default", fix)
