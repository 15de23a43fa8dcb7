"""The node labels that name the GPUs of a node, by dialect.

The values come from the documentation of GPU feature discovery, GKE, Karpenter, AWS and Azure.
Sizes with a part of a GPU (`g6f`, `NVads_A10`) are left out.
"""

from trussform.plan.toleration import Toleration
from trussform.stage import Dialect

_INSTANCE_TYPE = "node.kubernetes.io/instance-type"

LABELS: dict[Dialect, str] = {
    "gpu-feature-discovery": "nvidia.com/gpu.product",
    "gke": "cloud.google.com/gke-accelerator",
    "karpenter": "karpenter.k8s.aws/instance-gpu-name",
    "eks": _INSTANCE_TYPE,
    "aks": _INSTANCE_TYPE,
}

PRODUCTS: dict[Dialect, dict[str, tuple[str, ...]]] = {
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
        "H100": (
            "nvidia-h100-80gb",
            "nvidia-h100-mega-80gb",
        ),
        "H200": ("nvidia-h200-141gb",),
        "B200": ("nvidia-b200",),
        "GB300": ("nvidia-gb300",),
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
        "B300": ("b300",),
        "L40S": ("l40s",),
        "RTX_PRO_6000": ("rtx-pro-server-6000",),
    },
    "eks": {
        "T4": (
            "g4dn.xlarge",
            "g4dn.2xlarge",
            "g4dn.4xlarge",
            "g4dn.8xlarge",
            "g4dn.12xlarge",
            "g4dn.16xlarge",
            "g4dn.metal",
        ),
        "L4": (
            "g6.xlarge",
            "g6.2xlarge",
            "g6.4xlarge",
            "g6.8xlarge",
            "g6.12xlarge",
            "g6.16xlarge",
            "g6.24xlarge",
            "g6.48xlarge",
            "gr6.4xlarge",
            "gr6.8xlarge",
        ),
        "A10G": (
            "g5.xlarge",
            "g5.2xlarge",
            "g5.4xlarge",
            "g5.8xlarge",
            "g5.12xlarge",
            "g5.16xlarge",
            "g5.24xlarge",
            "g5.48xlarge",
        ),
        "V100": (
            "p3.2xlarge",
            "p3.8xlarge",
            "p3.16xlarge",
            "p3dn.24xlarge",
        ),
        "A100": ("p4de.24xlarge",),
        "A100_40GB": ("p4d.24xlarge",),
        "H100": (
            "p5.4xlarge",
            "p5.48xlarge",
        ),
        "H200": (
            "p5e.48xlarge",
            "p5en.48xlarge",
        ),
        "B200": ("p6-b200.48xlarge",),
        "B300": ("p6-b300.48xlarge",),
        "L40S": (
            "g6e.xlarge",
            "g6e.2xlarge",
            "g6e.4xlarge",
            "g6e.8xlarge",
            "g6e.12xlarge",
            "g6e.16xlarge",
            "g6e.24xlarge",
            "g6e.48xlarge",
        ),
        "RTX_PRO_6000": (
            "g7e.2xlarge",
            "g7e.4xlarge",
            "g7e.8xlarge",
            "g7e.12xlarge",
            "g7e.24xlarge",
            "g7e.48xlarge",
        ),
    },
    "aks": {
        "T4": (
            "Standard_NC4as_T4_v3",
            "Standard_NC8as_T4_v3",
            "Standard_NC16as_T4_v3",
            "Standard_NC64as_T4_v3",
        ),
        "V100": (
            "Standard_NC6s_v3",
            "Standard_NC12s_v3",
            "Standard_NC24s_v3",
            "Standard_NC24rs_v3",
            "Standard_ND40rs_v2",
        ),
        "A100": (
            "Standard_NC24ads_A100_v4",
            "Standard_NC48ads_A100_v4",
            "Standard_NC96ads_A100_v4",
            "Standard_ND96amsr_A100_v4",
        ),
        "A100_40GB": ("Standard_ND96asr_v4",),
        "H100": (
            "Standard_NC40ads_H100_v5",
            "Standard_NC80adis_H100_v5",
            "Standard_NCC40ads_H100_v5",
            "Standard_ND96isr_H100_v5",
        ),
        "H200": ("Standard_ND96isr_H200_v5",),
        "GB300": ("Standard_ND128isr_GB300_v6",),
        "RTX_PRO_6000": (
            "Standard_NC128ds_xl_RTXPRO6000BSE_v6",
            "Standard_NC144ds_xl_RTXPRO6000BSE_v6",
            "Standard_NC256ds_xl_RTXPRO6000BSE_v6",
            "Standard_NC288ds_xl_RTXPRO6000BSE_v6",
            "Standard_NC320ds_xl_RTXPRO6000BSE_v6",
            "Standard_NC128lds_xl_RTXPRO6000BSE_v6",
            "Standard_NC144lds_xl_RTXPRO6000BSE_v6",
            "Standard_NC256lds_xl_RTXPRO6000BSE_v6",
            "Standard_NC288lds_xl_RTXPRO6000BSE_v6",
            "Standard_NC320lds_xl_RTXPRO6000BSE_v6",
        ),
    },
}

OTHER_DIALECT: dict[tuple[Dialect, str], Dialect] = {
    ("karpenter", "A100"): "eks",
    ("karpenter", "A100_40GB"): "eks",
}
"""The dialect to use instead: Karpenter calls both sizes of the A100 `a100`, so the instance types
tell them apart."""

WHOLE = {"H100_40GB": "H100"}
"""The whole GPU of each accelerator that is a part of one."""

TAINTS: dict[Dialect, tuple[Toleration, ...]] = {"aks": (Toleration("sku", "gpu"),)}
"""The taint of GPU pools that a cloud's documentation tells users to set, beside NVIDIA's. Source:
https://learn.microsoft.com/azure/aks/use-nvidia-gpu."""

SPOT_TAINTS: dict[Dialect, tuple[Toleration, ...]] = {
    "aks": (Toleration("kubernetes.azure.com/scalesetpriority", "spot"),),
    "gke": (Toleration("cloud.google.com/gke-spot", "true"),),
}
"""The taint of spot nodes. Amazon EKS and Karpenter set none by themselves. Sources:
https://learn.microsoft.com/azure/aks/spot-node-pool,
https://cloud.google.com/kubernetes-engine/docs/concepts/spot-vms."""

_UNDOCUMENTED = "no label for this GPU is documented"
_GKE = "no known machine type of Google Cloud has this GPU"
_PART = "the nodes have the label of the whole H100"
_AWS = "no known instance type of AWS has this GPU"
_AZURE = "no known VM size of Azure has whole GPUs of this kind"

ABSENT: dict[Dialect, dict[str, str]] = {
    "gpu-feature-discovery": {"B10": _UNDOCUMENTED},
    "gke": {"A10G": _GKE, "L40S": _GKE, "B300": _GKE, "H100_40GB": _PART, "B10": _UNDOCUMENTED},
    "karpenter": {"GB300": _AWS, "H100_40GB": _PART, "B10": _UNDOCUMENTED},
    "eks": {"GB300": _AWS, "H100_40GB": _PART, "B10": _UNDOCUMENTED},
    "aks": {
        "L4": _AZURE,
        "A10G": _AZURE,
        "L40S": _AZURE,
        "B200": _AZURE,
        "B300": _AZURE,
        "H100_40GB": _PART,
        "B10": _UNDOCUMENTED,
    },
}
"""The reason why a dialect has no value for an accelerator."""
