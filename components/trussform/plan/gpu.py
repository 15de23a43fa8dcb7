"""Which nodes have the accelerator: a resource, a count and the labels to look for.

A cluster that marks its nodes in its own words is described by the stage's `gpu`.
"""

from typing import NamedTuple

from trussform.config import Config
from trussform.plan.gpu_labels import ABSENT, LABELS, OTHER_DIALECT, PRODUCTS
from trussform.problem import Problem
from trussform.stage import Stage


class Gpu(NamedTuple):
    resource: str
    per_pod: int
    label: str
    products: tuple[str, ...]
    why: str

    def __str__(self) -> str:
        if not self.per_pod:
            return "none"
        return f"{self.resource}: {self.per_pod}, {self.label} in [{', '.join(self.products)}]"


def gpu(config: Config, stage: Stage) -> tuple[Gpu, list[Problem]]:
    accelerator = config.resources.accelerator
    given = stage.gpu
    if accelerator is None:
        label = given.label or LABELS[given.dialect]
        return Gpu(given.resource, 0, label, (), "the config names no accelerator"), []
    dialect = OTHER_DIALECT.get((given.dialect, accelerator.name), given.dialect)
    label, products = LABELS[dialect], PRODUCTS[dialect].get(accelerator.name, ())
    if given.label is not None or accelerator.name in given.products:
        label = given.label or LABELS[given.dialect]
        products = tuple(given.products.get(accelerator.name, ()))
    why = f"{accelerator} by the labels of {given.label or given.dialect}"
    plan = Gpu(given.resource, accelerator.count, label, products, why)
    if products:
        return plan, []
    message = f"no value of the node label {label} is known for {accelerator.name}"
    if given.label is None:
        message += f": {ABSENT[dialect][accelerator.name]}"
    fix = f"give the stage's `gpu.products`: `{accelerator.name}: [value of the label]`"
    return plan, [Problem("config", ("resources", "accelerator"), message, fix)]
