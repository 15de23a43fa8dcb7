"""The labels and resources of a cluster's GPU nodes."""

from typing import Literal

from pydantic import Field

from trussform.schema import Model
from trussform.stage.names import AcceleratorName, Device, LabelValue, Qualified

Dialect = Literal["gpu-feature-discovery", "gke", "eks", "aks", "karpenter"]


class Gpu(Model):
    """The labels and resources of this cluster's GPU nodes."""

    dialect: Dialect = "gpu-feature-discovery"
    """Whose node labels tell the kind of GPU."""
    label: Qualified | None = None
    """A node label of the cluster's own, in place of the dialect's."""
    products: dict[AcceleratorName, list[LabelValue]] = Field(default_factory=dict)
    """Values of the label by accelerator, before the dialect's: `L4: [my-l4]`."""
    resource: Device = "nvidia.com/gpu"
