"""How a cluster marks the nodes that have GPUs."""

from typing import Literal

from pydantic import Field

from trussform.schema import Model
from trussform.stage.names import AcceleratorName, Device, LabelValue, Qualified

Dialect = Literal["gpu-feature-discovery", "gke", "eks", "aks", "karpenter"]


class Gpu(Model):
    """How this cluster marks its GPU nodes."""

    dialect: Dialect = "gpu-feature-discovery"
    """Whose node labels tell the kind of GPU."""
    label: Qualified | None = None
    """A node label of the cluster's own, in place of the dialect's."""
    products: dict[AcceleratorName, list[LabelValue]] = Field(default_factory=dict)
    """Values of the label by accelerator, before the dialect's: `L4: [my-l4]`."""
    resource: Device = "nvidia.com/gpu"
