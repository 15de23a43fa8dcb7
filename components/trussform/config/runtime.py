"""Settings of the running server (Truss: `runtime`)."""

import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from trussform.schema import Int, Model, invalid
from trussform.source import is_mapping

WEEK = 604_800

Seconds = Annotated[Int, Field(ge=1, le=WEEK)]


class HealthChecks(Model):
    """Thresholds of the probes, in seconds. Defaults are Baseten's."""

    startup_threshold_seconds: Seconds = 1800
    """Seconds that a start may take before Kubernetes restarts the container."""

    stop_traffic_threshold_seconds: Seconds = 1800
    """Seconds that readiness may fail before traffic stops."""

    restart_threshold_seconds: Seconds = 1800
    """Seconds that liveness may fail before Kubernetes restarts the container."""

    restart_check_delay_seconds: Int = Field(default=0, ge=0, le=WEEK)
    """Seconds from the container's start to the first liveness check."""

    @model_validator(mode="before")
    @classmethod
    def _null_is_default(cls, data: Any) -> Any:
        if is_mapping(data):
            known = cls.model_fields
            return {
                name: value
                for name, value in data.items()
                if value is not None or name not in known
            }
        return data


def _ipv4(address: str) -> str:
    try:
        ipaddress.IPv4Network(address, strict=False)
    except ValueError:
        raise invalid(
            f"`{address}` is not an IPv4 address or range", "write it as in 10.0.0.0/8"
        ) from None
    return address


def _fqdn(name: str) -> str:
    label = r"[a-zA-Z0-9*]([-a-zA-Z0-9*]{0,61}[a-zA-Z0-9*])?"
    if len(name) > 253 or not re.fullmatch(rf"{label}(\.{label})*", name):
        raise invalid(f"`{name}` is not a domain name", "write it as in `*.example.com`")
    return name


def _version(version: str) -> str:
    from packaging.version import InvalidVersion, Version  # Imported here, as few configs ask.

    try:
        Version(version)
    except InvalidVersion:
        raise invalid(f"`{version}` is not a version", "write it as in 0.9.0") from None
    return version


class HTTP(Model):
    kind: Literal["http"] = "http"


class WebSocket(Model):
    kind: Literal["websocket"]
    ping_interval_seconds: float | None = None
    ping_timeout_seconds: float | None = None


class GRPC(Model):
    kind: Literal["grpc"]


Transport = Annotated[HTTP | WebSocket | GRPC, Field(discriminator="kind")]


class EgressRestrictions(Model):
    """The destinations that the server may reach; two empty lists allow none."""

    ip_allow_list: list[Annotated[str, AfterValidator(_ipv4)]] | None = None
    fqdn_allow_list: list[Annotated[str, AfterValidator(_fqdn)]] | None = None


class OIDC(Model):
    enabled: bool | None = None


class RemoteSSH(Model):
    enabled: bool = False


class Runtime(Model):
    predict_concurrency: Int = Field(default=1, ge=1)
    """Requests that one replica takes at a time: a hint to readers and autoscalers."""

    transport: Transport = HTTP()
    """The protocol between clients and the server. Default: HTTP."""

    is_websocket_endpoint: bool | None = None
    """Truss's old name for `transport: {kind: websocket}`."""

    health_checks: HealthChecks = HealthChecks()

    streaming_read_timeout: Int = 60
    enable_tracing_data: bool = False
    enable_debug_logs: bool = False
    truss_server_version_override: Annotated[str, AfterValidator(_version)] | None = None

    egress_restrictions: EgressRestrictions | None = None
    """The addresses and names that the server may reach. Default: all."""

    oidc: OIDC = OIDC()
    """A token of Baseten's for the server."""

    remote_ssh: RemoteSSH = RemoteSSH()
    """A way for people into the server."""

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, data: Any) -> Any:
        if not is_mapping(data):
            return data
        data = {**data}
        if data.get("is_websocket_endpoint") is True:
            websocket = {"kind": "websocket"}
            given = data.get("transport")
            others: tuple[Any, ...] = (None, {}, {"kind": "http"}, {"kind": "grpc"})
            data["transport"] = websocket if given in others else given
        elif data.get("transport") == {}:
            data["transport"] = {"kind": "http"}
        return data
