"""The labels, taints and resources of a cluster's GPU nodes."""

from typing import Literal

from pydantic import Field

from trussform.schema import Model
from trussform.stage.names import AcceleratorName, Device, LabelValue, ObjectName, Qualified
from trussform.stage.pod import Toleration

Dialect = Literal["gpu-feature-discovery", "gke", "eks", "aks", "karpenter"]
"""The source of the node labels that name the kind of GPU."""


class Gpu(Model):
    """The labels, taints and resources of this cluster's GPU nodes."""

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
    resources: dict[AcceleratorName, Device] = Field(default_factory=dict)
    """The extended resource by accelerator, in place of `resource`. MIG with the mixed strategy has
    one per size: `{H100_40GB: nvidia.com/mig-3g.40gb}`. Default: none."""
    taint: Qualified | None = None
    """The key of the taint of GPU nodes. GPU pods tolerate it with any value and the effect
    `NoSchedule`. Default: `nvidia.com/gpu` for NVIDIA's resources, else the resource's name."""
    tolerations: list[Toleration] = Field(default_factory=list[Toleration])
    """Further taints that GPU pods tolerate: `[{key: dedicated, value: gpu}]`. Default: none."""
    spot: bool = False
    """True if GPU pods may run on spot nodes: they tolerate the taint that the dialect's cloud puts
    on these. Default: false."""
    runtime_class: ObjectName | None = None
    """The RuntimeClass of GPU pods: `nvidia` on k3s, RKE2 and Talos. Default: that of `pod`."""
