"""The GPUs of the pod: their resource name, their number and the labels of the nodes.

The stage's `gpu` describes a cluster whose nodes have other labels.
"""

from typing import NamedTuple

from trussform.plan.given import Given
from trussform.plan.gpu_labels import ABSENT, LABELS, OTHER_DIALECT, PRODUCTS
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
        return GpuPlan(settings.resource, 0, label, (), "the config has no `accelerator`")
    dialect = OTHER_DIALECT.get((settings.dialect, accelerator.name), settings.dialect)
    label, products = LABELS[dialect], PRODUCTS[dialect].get(accelerator.name, ())
    if settings.label is not None or accelerator.name in settings.products:
        label = settings.label or LABELS[settings.dialect]
        products = tuple(settings.products.get(accelerator.name, ()))
    why = f"{accelerator} in the config; {_label_source(settings)}"
    plan = GpuPlan(settings.resource, accelerator.count, label, products, why)
    if products:
        return plan
    message = f"Trussform knows no value of the node label {label} for {accelerator.name}"
    if settings.label is None:
        message += f": {ABSENT[dialect][accelerator.name]}"
    fix = f"add `{accelerator.name}: [VALUE]` to `gpu.products` of the stage"
    problem = Problem("config", ("resources", "accelerator"), message, fix)
    return plan._replace(problems=(problem,))


def _label_source(settings: Gpu) -> str:
    """Returns the field of the stage that the node label comes from."""
    if settings.label is not None:
        return "the stage's `gpu.label` names the node label"
    return f"the stage's `gpu.dialect` is {settings.dialect}"
