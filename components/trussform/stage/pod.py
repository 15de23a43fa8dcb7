"""The parts of the pod that a cluster demands and the config does not have."""

from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from trussform.config.resources import Cpu, Memory
from trussform.config.runtime import WEEK
from trussform.schema import Int, Model, invalid, number_or, text_or_number
from trussform.stage.names import LabelText, LabelValue, ObjectName, Qualified

_OWN_NAMES = ("app.kubernetes.io/name", "app.kubernetes.io/managed-by", "pod-template-hash")
_OWN_PREFIXES = ("trussform/", "tag.trussform/")


def _not_own(name: str) -> str:
    if name in _OWN_NAMES or name.startswith(_OWN_PREFIXES):
        raise invalid(f"Trussform sets `{name}` itself", "use another name")
    return name


OwnName = Annotated[Qualified, AfterValidator(_not_own)]
"""The name of a label or an annotation that Trussform does not set itself."""


AnnotationText = Annotated[str, Field(max_length=16_384)]
"""Kubernetes limits all annotations of an object together to 256 KiB."""


class Toleration(Model):
    """A taint of nodes that the pod tolerates (Kubernetes: `tolerations`)."""

    key: Qualified | None = None
    """The key of the taint. Default: every key, which needs `operator: Exists`."""
    operator: Literal["Equal", "Exists"] = "Equal"
    """`Equal`: the taint has this `value`. `Exists`: the taint has any value. Default: Equal."""
    value: LabelText = ""
    """The value of the taint. Default: the empty value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """The effect of the taint. Default: every effect."""
    toleration_seconds: Int | None = Field(default=None, ge=0, le=WEEK)
    """Seconds that the pod stays on a node with a `NoExecute` taint. Default: no limit."""

    @model_validator(mode="after")
    def _check(self) -> "Toleration":
        if self.key is None and self.operator == "Equal":
            raise invalid("a toleration without a `key` matches no taint", "add `operator: Exists`")
        if self.operator == "Exists" and self.value:
            message = "`operator: Exists` matches any value, and the toleration has a `value`"
            raise invalid(message, "remove `value`, or write `operator: Equal`")
        if self.toleration_seconds is not None and self.effect != "NoExecute":
            message = "`toleration_seconds` has no effect without `effect: NoExecute`"
            raise invalid(message, "add `effect: NoExecute`, or remove `toleration_seconds`")
        return self


class Amounts(Model):
    """Amounts of resources for each container of the pod."""

    cpu: Cpu | None = None
    """Cores: `4`, `500m`. Default: none."""
    memory: Memory | None = None
    """Memory: `10Gi`. Default: none."""
    ephemeral_storage: Memory | None = None
    """Room on the disk of the node (`ephemeral-storage`): `20Gi`. Default: none."""


FsGroup = Annotated[
    Annotated[Literal["none"], Tag("<text>")]
    | Annotated[Annotated[Int, Field(ge=0, le=2**31 - 1)], Tag("<number>")],
    Discriminator(text_or_number),
    number_or("none"),
]


class Pod(Model):
    """The parts of the pod that a cluster demands and the config does not have.

    A server's own `pod` is merged into the stage's: mappings by key, and all other fields as a
    whole.
    """

    labels: dict[OwnName, LabelText] = Field(default_factory=dict)
    """Labels of the pods: `{kueue.x-k8s.io/queue-name: gpus}`. Default: none."""
    annotations: dict[OwnName, AnnotationText] = Field(default_factory=dict)
    """Annotations of the pods: `{karpenter.sh/do-not-disrupt: "true"}`. Default: none."""
    node_selector: dict[Qualified, LabelValue] = Field(default_factory=dict)
    """Labels that a node must have. Default: none."""
    tolerations: list[Toleration] = Field(default_factory=list[Toleration])
    """Taints that every pod tolerates. `gpu.tolerations` has those of GPU pods. Default: none."""
    priority_class: ObjectName | None = None
    """The PriorityClass (`priorityClassName`). Default: the cluster's."""
    runtime_class: ObjectName | None = None
    """The RuntimeClass (`runtimeClassName`). `gpu.runtime_class` has that of GPU pods. Default: the
    node's runtime."""
    service_account: ObjectName | None = None
    """An existing ServiceAccount that is bound to a cloud identity, for buckets and registries
    without a secret. Default: the namespace's `default` account, without a token."""
    fs_group: FsGroup = 60000
    """The group that owns the volumes (`fsGroup`). `none`: the cluster sets it, as OpenShift does.
    Default: 60000."""
    requests: Amounts = Amounts()
    """The requests of the server. They take precedence over `resources` of the config. Default: the
    config's."""
    limits: Amounts = Amounts()
    """The limits of each container of the pod. Default: none."""
    termination_grace_period: Int | None = Field(default=None, ge=10, le=WEEK)
    """Seconds that a stopping pod may take (`terminationGracePeriodSeconds`). Its requests have 10
    seconds less. Default: 10 more than `deadlines.drain`."""

    def merged(self, own: "Pod") -> "Pod":
        """Returns this block with a server's own in it."""
        values: dict[str, Any] = {}
        for name in own.model_fields_set:
            before, after = getattr(self, name), getattr(own, name)
            if isinstance(after, Amounts):
                after = before.model_copy(update=after.model_dump(exclude_unset=True))
            elif isinstance(after, dict):
                after = {**before, **cast(dict[str, str], after)}
            values[name] = after
        return self.model_copy(update=values)
