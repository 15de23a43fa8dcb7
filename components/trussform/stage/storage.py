"""The storage of weights."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from trussform.config.base_image import check_image
from trussform.config.config import VariableName
from trussform.config.resources import Memory
from trussform.schema import Int, Model
from trussform.stage.names import NodePath, ObjectName

AccessMode = Literal["ReadWriteOnce", "ReadWriteMany"]
"""`ReadWriteOnce`: one node at a time mounts the volume. `ReadWriteMany`: several nodes do."""


class ClaimStorage(Model):
    """One PersistentVolumeClaim per server, created and deleted with the server."""

    kind: Literal["claim"] = "claim"
    size: Memory = "100Gi"
    """The size of the claim; plan 1.5 times the size of the model's files. If the files do not fit,
    the init container fails before it downloads anything. Default: 100Gi."""
    storage_class: ObjectName | None = None
    """The StorageClass. Default: the cluster's default class."""
    access_mode: AccessMode = "ReadWriteOnce"
    """The access mode. Use `ReadWriteMany` if replicas run on several nodes. Default:
    ReadWriteOnce."""


class ExistingStorage(Model):
    """An existing PersistentVolumeClaim. Servers with the same weights share the files."""

    kind: Literal["existing"]
    claim: ObjectName
    """The name of the claim, in the servers' namespace."""
    access_mode: AccessMode = "ReadWriteOnce"
    """The access mode of the claim. Default: ReadWriteOnce."""


class NodeStorage(Model):
    """A folder on the node's disk. Each node downloads the weights once, as root.

    It is a hostPath volume. A namespace that enforces the Pod Security standard `baseline` or
    `restricted` rejects the pod.
    """

    kind: Literal["node"]
    path: NodePath = "/var/lib/trussform/weights"
    """The absolute path of the folder. Default: /var/lib/trussform/weights."""


Storage = ClaimStorage | ExistingStorage | NodeStorage


class Weights(Model):
    """The volume of a config's weights, and the init container that downloads them."""

    storage: Annotated[Storage, Field(discriminator="kind")] = ClaimStorage()
    """The volume of the weights. Default: a new claim of 100Gi per server."""
    image: Annotated[str, AfterValidator(check_image)] = "kserve/storage-initializer:v0.20.0"
    """The image of the init container. It needs Python, huggingface_hub and the SDKs of the clouds.
    Default: KServe's storage initializer."""
    run_as_user_id: Int | None = Field(default=None, ge=0, le=2**31 - 1)
    """The UID of the init container. If the volume's driver ignores `fs_group`, as NFS and CephFS
    do, set the owner of the volume's folder. Default: `run_as_user_id` of the config, or the
    image's own user."""
    environment_variables: dict[VariableName, str] = Field(default_factory=dict)
    """Variables of the init container: `HF_ENDPOINT` of a mirror, `AWS_ENDPOINT_URL_S3`,
    `HTTPS_PROXY`. Default: none."""
