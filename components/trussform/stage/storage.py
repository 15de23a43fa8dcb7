"""The storage of weights."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from trussform.config.base_image import check_image
from trussform.config.config import VariableName
from trussform.config.resources import quantity
from trussform.schema import Model
from trussform.stage.names import NodePath, ObjectName

AccessMode = Literal["ReadWriteOnce", "ReadWriteMany"]


class ClaimStorage(Model):
    """A PersistentVolumeClaim per server, made and deleted with it."""

    kind: Literal["claim"] = "claim"
    size: Annotated[str, AfterValidator(quantity)] = "100Gi"
    """The size of the claim. A good guess is one and a half times the size of a model's files. The
    fetch stops before the first byte where the files do not fit."""
    storage_class: ObjectName | None = None
    """Default: the cluster's."""
    access_mode: AccessMode = "ReadWriteOnce"
    """`ReadWriteMany` where replicas are on several nodes."""


class ExistingStorage(Model):
    """An existing PersistentVolumeClaim; servers with the same weights share them."""

    kind: Literal["existing"]
    claim: ObjectName
    access_mode: AccessMode = "ReadWriteOnce"
    """The access mode of the claim."""


class NodeStorage(Model):
    """The disk of the node, which root fetches onto; each node has its own.

    It is a hostPath, which Pod Security's `baseline` and `restricted` forbid: a namespace that
    enforces either refuses the pod.
    """

    kind: Literal["node"]
    path: NodePath = "/var/lib/trussform/weights"


Storage = ClaimStorage | ExistingStorage | NodeStorage


class Weights(Model):
    """The storage of a config's weights, and the init container that fetches them."""

    storage: Annotated[Storage, Field(discriminator="kind")] = ClaimStorage()
    image: Annotated[str, AfterValidator(check_image)] = "kserve/storage-initializer:v0.20.0"
    """An image with Python, huggingface_hub and the SDKs of the clouds; KServe's has all."""
    environment_variables: dict[VariableName, str] = Field(default_factory=dict)
    """For what fetches: `HF_ENDPOINT` of a mirror, `AWS_ENDPOINT_URL_S3`, `HTTPS_PROXY`."""
