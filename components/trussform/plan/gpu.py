"""The nodes with the accelerator: a resource, a count and the node labels to match.

A cluster that marks its nodes in its own words is described by the stage's `gpu`.
"""

from typing import NamedTuple

from trussform.plan.given import Given
from trussform.plan.gpu_labels import ABSENT, LABELS, OTHER_DIALECT, PRODUCTS
from trussform.problem import Problem


class GpuPlan(NamedTuple):
    resource: str
    per_pod: int
    label: str
    products: tuple[str, ...]
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        if not self.per_pod:
            return "none"
        return f"{self.resource}: {self.per_pod}, {self.label} in [{', '.join(self.products)}]"


def plan_gpu(given: Given) -> GpuPlan:
    accelerator = given.config.resources.accelerator
    marks = given.stage.gpu
    if accelerator is None:
        label = marks.label or LABELS[marks.dialect]
        return GpuPlan(marks.resource, 0, label, (), "the config names no accelerator")
    dialect = OTHER_DIALECT.get((marks.dialect, accelerator.name), marks.dialect)
    label, products = LABELS[dialect], PRODUCTS[dialect].get(accelerator.name, ())
    if marks.label is not None or accelerator.name in marks.products:
        label = marks.label or LABELS[marks.dialect]
        products = tuple(marks.products.get(accelerator.name, ()))
    why = f"{accelerator} by the labels of {marks.label or marks.dialect}"
    plan = GpuPlan(marks.resource, accelerator.count, label, products, why)
    if products:
        return plan
    message = f"the value of the node label {label} for {accelerator.name} is unknown"
    if marks.label is None:
        message += f": {ABSENT[dialect][accelerator.name]}"
    fix = f"add `{accelerator.name}: [VALUE]` to `gpu.products` of the stage"
    problem = Problem("config", ("resources", "accelerator"), message, fix)
    return plan._replace(problems=(problem,))
