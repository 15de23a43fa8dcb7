"""Which nodes have the accelerator: a resource, a count and the labels to look for.

The label values are those that GPU feature discovery, GKE and Karpenter document.
A cluster that says something else is described by the stage's `gpu`.
"""

from typing import NamedTuple

from trussform.config import Config
from trussform.problem import Finding
from trussform.stage import Dialect, Stage

_LABELS: dict[Dialect, str] = {
    "gpu-feature-discovery": "nvidia.com/gpu.product",
    "gke": "cloud.google.com/gke-accelerator",
    "karpenter": "karpenter.k8s.aws/instance-gpu-name",
}

_PRODUCTS: dict[Dialect, dict[str, tuple[str, ...]]] = {
    "gpu-feature-discovery": {
        "T4": ("Tesla-T4",),
        "L4": ("NVIDIA-L4",),
        "A10G": ("NVIDIA-A10G",),
        "V100": (
            "Tesla-V100-SXM2-16GB",
            "Tesla-V100-SXM2-32GB",
            "Tesla-V100-PCIE-16GB",
            "Tesla-V100-PCIE-32GB",
        ),
        "A100": ("NVIDIA-A100-SXM4-80GB", "NVIDIA-A100-80GB-PCIe"),
        "A100_40GB": ("NVIDIA-A100-SXM4-40GB", "NVIDIA-A100-PCIE-40GB"),
        "H100": ("NVIDIA-H100-80GB-HBM3", "NVIDIA-H100-PCIe", "NVIDIA-H100-NVL"),
        "H100_40GB": ("NVIDIA-H100-80GB-HBM3-MIG-3g.40gb", "NVIDIA-H100-PCIe-MIG-3g.40gb"),
        "H200": ("NVIDIA-H200", "NVIDIA-H200-NVL"),
        "B200": ("NVIDIA-B200",),
        "B300": ("NVIDIA-B300-SXM6-AC",),
        "GB300": ("NVIDIA-GB300",),
        "L40S": ("NVIDIA-L40S",),
        "RTX_PRO_6000": (
            "NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition",
            "NVIDIA-RTX-PRO-6000-Blackwell-Workstation-Edition",
        ),
    },
    "gke": {
        "T4": ("nvidia-tesla-t4",),
        "L4": ("nvidia-l4",),
        "V100": ("nvidia-tesla-v100",),
        "A100": ("nvidia-a100-80gb",),
        "A100_40GB": ("nvidia-tesla-a100",),
        "H100": ("nvidia-h100-80gb", "nvidia-h100-mega-80gb"),
        "H200": ("nvidia-h200-141gb",),
        "B200": ("nvidia-b200",),
        "RTX_PRO_6000": ("nvidia-rtx-pro-6000",),
    },
    "karpenter": {
        "T4": ("t4",),
        "L4": ("l4",),
        "A10G": ("a10g",),
        "V100": ("v100",),
        "H100": ("h100",),
        "H200": ("h200",),
        "B200": ("b200",),
        "L40S": ("l40s",),
    },
}


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


def gpu(config: Config, stage: Stage) -> tuple[Gpu, list[Finding]]:
    accelerator = config.resources.accelerator
    label = stage.gpu.label or _LABELS[stage.gpu.dialect]
    if accelerator is None:
        return Gpu(stage.gpu.resource, 0, label, (), "the config names no accelerator"), []
    products = tuple(stage.gpu.products.get(accelerator.name, ()))
    if not products and stage.gpu.label is None:
        products = _PRODUCTS[stage.gpu.dialect].get(accelerator.name, ())
    why = f"{accelerator} by the labels of {stage.gpu.label or stage.gpu.dialect}"
    plan = Gpu(stage.gpu.resource, accelerator.count, label, products, why)
    if products:
        return plan, []
    return plan, [
        Finding(
            "config",
            ("resources", "accelerator"),
            f"no value of the node label {label} is known for {accelerator.name}",
            f"give the stage's `gpu.products`: `{accelerator.name}: [value of the label]`",
        )
    ]
