"""The GPUs of the pod: their resource name, their number, and the labels and taints of the nodes.

The stage's `gpu` describes a cluster whose nodes have other labels.
"""

from collections.abc import Iterator
from typing import NamedTuple

from trussform.plan.given import Given
from trussform.plan.gpu_labels import (
    ABSENT,
    LABELS,
    OTHER_DIALECT,
    PRODUCTS,
    SPOT_TAINTS,
    TAINTS,
    WHOLE,
)
from trussform.plan.toleration import Toleration
from trussform.problem import Problem
from trussform.stage import Gpu


class GpuPlan(NamedTuple):
    """The accelerators of one pod and the nodes that have them."""

    resource: str
    """The extended resource: `nvidia.com/gpu`."""
    per_pod: int
    """The number that each pod requests; 0: none."""
    label: str
    """The node label that names the product."""
    products: tuple[str, ...]
    """The values of the label that the pod accepts."""
    tolerations: tuple[Toleration, ...]
    """The taints of GPU nodes that the pod tolerates."""
    taints: str
    """The sources of these taints, as `trussform explain` shows them."""
    runtime_class: str | None
    """The RuntimeClass of GPU pods; None: that of all pods."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        if not self.per_pod:
            return "none"
        return (
            f"{self.resource}: {self.per_pod}; on nodes with {self.label} in "
            f"[{', '.join(self.products)}]"
        )


def plan_gpu(given: Given) -> GpuPlan:
    """Decides the GPUs from `accelerator` and the stage's `gpu`."""
    accelerator = given.config.resources.accelerator
    settings = given.stage.gpu
    if accelerator is None:
        label = settings.label or LABELS[settings.dialect]
        why = "the config has no `accelerator`"
        return GpuPlan(settings.resource, 0, label, (), (), "", None, why)
    resource = settings.resources.get(accelerator.name, settings.resource)
    dialect = OTHER_DIALECT.get((settings.dialect, accelerator.name), settings.dialect)
    product = _product(accelerator.name, resource)
    label, products = LABELS[dialect], PRODUCTS[dialect].get(product, ())
    if settings.label is not None or accelerator.name in settings.products:
        label = settings.label or LABELS[settings.dialect]
        products = tuple(settings.products.get(accelerator.name, ()))
    why = f"{accelerator} in the config; {_label_source(settings)}"
    plan = GpuPlan(
        resource=resource,
        per_pod=accelerator.count,
        label=label,
        products=products,
        tolerations=tuple(_tolerations(settings)),
        taints=_taint_sources(settings),
        runtime_class=settings.runtime_class,
        why=why,
    )
    if products:
        return plan
    message = f"Trussform knows no value of the node label {label} for {accelerator.name}"
    if settings.label is None:
        message += f": {ABSENT[dialect][product]}"
    fix = f"add `{accelerator.name}: [VALUE]` to `gpu.products` of the stage"
    problem = Problem("config", ("resources", "accelerator"), message, fix)
    return plan._replace(problems=(problem,))


def _label_source(settings: Gpu) -> str:
    """Returns the field of the stage that the node label comes from."""
    if settings.label is not None:
        return "the stage's `gpu.label` names the node label"
    return f"the stage's `gpu.dialect` is {settings.dialect}"


def _product(accelerator: str, resource: str) -> str:
    """Returns the accelerator that the node label names.

    MIG's mixed strategy has a resource for each size, and the label of the whole GPU.
    """
    return WHOLE.get(accelerator, accelerator) if "/mig-" in resource else accelerator


def _taint(settings: Gpu) -> str:
    """Returns the key of the taint of GPU nodes."""
    nvidia = settings.resource.startswith("nvidia.com/")
    return settings.taint or ("nvidia.com/gpu" if nvidia else settings.resource)


def _tolerations(settings: Gpu) -> Iterator[Toleration]:
    """Yields the taints that GPU pods tolerate."""
    yield Toleration(_taint(settings))
    yield from TAINTS.get(settings.dialect, ())
    if settings.spot:
        yield from SPOT_TAINTS.get(settings.dialect, ())
    for toleration in settings.tolerations:
        yield Toleration.of(toleration)


def _taint_sources(settings: Gpu) -> str:
    """Returns the sources of the taints that GPU pods tolerate."""
    sources = ["the taint of GPU nodes"]
    if settings.dialect in TAINTS:
        sources.append(f"the taint of GPU pools in the documentation of {settings.dialect}")
    if settings.spot and settings.dialect in SPOT_TAINTS:
        sources.append(f"the taint of spot nodes of {settings.dialect}")
    if settings.tolerations:
        sources.append("`gpu.tolerations` of the stage")
    why = "GPU pods tolerate " + ", ".join(sources)
    if settings.spot and settings.dialect not in SPOT_TAINTS:
        why += f"; {settings.dialect} puts no taint on spot nodes"
    return why
