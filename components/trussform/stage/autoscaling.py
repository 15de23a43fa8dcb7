"""The block `autoscaling`: a number of replicas that follows the load."""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from pydantic import Field, field_validator

from trussform.schema import Int, Model, invalid
from trussform.stage.names import Label


class Autoscaling(Model):
    """The number of pods follows the requests in flight, by KEDA and in Baseten's words."""

    refused: ClassVar[Mapping[str, tuple[str, str]]] = {
        "target_in_flight_tokens": (
            "no gateway and no server reports the tokens in flight of each pod",
            "remove it, and set `concurrency_target`",
        ),
    }

    min_replica: Int = Field(default=0, ge=0, le=1000)
    """The smallest number of pods. At 0, idle pods go, and the next request waits for a new pod:
    KEDA's HTTP add-on holds it. Default: 0."""
    max_replica: Int = Field(default=1, ge=1, le=1000)
    """The largest number of pods. Default: 1."""
    autoscaling_window: Int = Field(default=60, ge=10, le=3600)
    """Seconds of load that decide the number of pods, 10 to 3,600. Default: 60."""
    scale_down_delay: Int = Field(default=900, ge=0, le=3600)
    """Seconds of lower load before pods stop, 0 to 3,600. Default: 900."""
    max_scale_down_rate: Int = Field(default=50, ge=1, le=50)
    """The share of pods in percent that may stop at once, 1 to 50; part of a pod counts as one.
    Default: 50."""
    concurrency_target: Int | None = Field(default=None, ge=1, le=100_000)
    """The requests in flight that one pod shall have. Default: `predict_concurrency` of the config,
    which is 1 by default."""
    target_utilization_percentage: Int = Field(default=70, ge=1, le=100)
    """The share of `concurrency_target` in percent from which pods are added, 1 to 100. Default:
    70."""
    prometheus: str | None = None
    """The URL of the Prometheus that reads the metrics of Envoy Gateway or of the servers. From
    `min_replica: 1` on, requests then do not pass KEDA's HTTP add-on. Default: none."""
    add_on_namespace: Label = "keda"
    """The namespace of KEDA's HTTP add-on. Default: `keda`."""
    triggers: list[dict[str, Any]] = Field(default_factory=list[dict[str, Any]])
    """Further triggers of KEDA's ScaledObject, as they are: `[{type: cron, metadata: …}]`. Default:
    none."""

    @field_validator("prometheus")
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            fix = "write `http://prometheus.monitoring.svc:9090`"
            raise invalid("the URL has no scheme", fix)
        return value

    @field_validator("triggers")
    @classmethod
    def _check_triggers(cls, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for trigger in value:
            texts = trigger.get("metadata")
            if not isinstance(trigger.get("type"), str) or not isinstance(texts, dict):
                fix = "write `- type: cron`, with its `metadata`"
                raise invalid("a trigger has no `type` or no `metadata`", fix)
            if not all(isinstance(text, str) for text in cast(dict[str, Any], texts).values()):
                raise invalid("KEDA takes text in `metadata`", 'put the values in quotes: "2"')
        return value

    def merged(self, own: "Autoscaling") -> "Autoscaling":
        """Returns the settings with a server's own fields in place of the stage's."""
        return self.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})
