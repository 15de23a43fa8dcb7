"""The labels and resources of a cluster's GPU nodes."""

from typing import Literal

from pydantic import Field

from trussform.schema import Model
from trussform.stage.names import AcceleratorName, Device, LabelValue, Qualified

Dialect = Literal["gpu-feature-discovery", "gke", "eks", "aks", "karpenter"]
"""The source of the node labels that name the kind of GPU."""


class Gpu(Model):
    """The labels and resources of this cluster's GPU nodes."""

    dialect: Dialect = "gpu-feature-discovery"
    """The source of the node labels that name the kind of GPU. Default: NVIDIA's GPU feature
    discovery."""
    label: Qualified | None = None
    """A node label in place of the dialect's. Default: the dialect's."""
    products: dict[AcceleratorName, list[LabelValue]] = Field(default_factory=dict)
    """Values of the node label by accelerator, in place of the dialect's: `{L4: [my-l4]}`. Default:
    none."""
    resource: Device = "nvidia.com/gpu"
    """The extended resource of a GPU. Default: `nvidia.com/gpu`."""
