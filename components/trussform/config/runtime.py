"""How the server is run (Truss: `runtime`)."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from trussform.schema import Int, Model
from trussform.source import is_mapping

WEEK = 604_800

Seconds = Annotated[Int, Field(ge=1, le=WEEK)]


class HealthChecks(Model):
    """Thresholds of the probes, in seconds. Defaults are Baseten's."""

    startup_threshold_seconds: Seconds = 1800
    """How long a start may take before the container is restarted."""

    stop_traffic_threshold_seconds: Seconds = 1800
    """How long readiness may fail before traffic stops."""

    restart_threshold_seconds: Seconds = 1800
    """How long liveness may fail before the container is restarted."""

    restart_check_delay_seconds: Int = Field(default=0, ge=0, le=WEEK)
    """How long after the container's start liveness is first asked."""

    @model_validator(mode="before")
    @classmethod
    def _null_is_default(cls, data: Any) -> Any:
        if is_mapping(data):
            return {name: value for name, value in data.items() if value is not None}
        return data


class HTTP(Model):
    kind: Literal["http"] = "http"


class WebSocket(Model):
    kind: Literal["websocket"]
    ping_interval_seconds: float | None = None
    ping_timeout_seconds: float | None = None


class GRPC(Model):
    kind: Literal["grpc"]


Transport = Annotated[HTTP | WebSocket | GRPC, Field(discriminator="kind")]


class Runtime(Model):
    predict_concurrency: Int = Field(default=1, ge=1)
    """Requests that one replica takes at a time: a hint to readers and autoscalers."""

    transport: Transport = HTTP()
    """What clients speak to the server. Default: HTTP."""

    is_websocket_endpoint: bool | None = None
    """Truss's old name for `transport: {kind: websocket}`."""

    health_checks: HealthChecks = HealthChecks()

    streaming_read_timeout: Int = 60
    enable_tracing_data: bool = False
    enable_debug_logs: bool = False
    truss_server_version_override: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, data: Any) -> Any:
        if not is_mapping(data):
            return data
        data = {**data}
        if data.get("is_websocket_endpoint") is True:
            websocket = {"kind": "websocket"}
            given = data.get("transport")
            same = is_mapping(given) and given.get("kind") == "websocket"
            data["transport"] = given if same else websocket
        elif data.get("transport") in ({}, None):
            data["transport"] = {"kind": "http"}
        return data
