"""Settings of the running server (Truss: `runtime`)."""

import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from trussform.schema import Int, Model, invalid
from trussform.source import is_mapping

WEEK = 604_800
"""Seconds in a week, the longest time that a field may have."""

Seconds = Annotated[Int, Field(ge=1, le=WEEK)]


class HealthChecks(Model):
    """Thresholds of the probes in seconds, with Baseten's defaults."""

    startup_threshold_seconds: Seconds = 1800
    """Seconds that a start may take before Kubernetes restarts the container. Default: 1,800."""

    stop_traffic_threshold_seconds: Seconds = 1800
    """Seconds that the readiness probe may fail before traffic stops. Default: 1,800."""

    restart_threshold_seconds: Seconds = 1800
    """Seconds that the liveness probe may fail before Kubernetes restarts the container. Default:
    1,800."""

    restart_check_delay_seconds: Int = Field(default=0, ge=0, le=WEEK)
    """Seconds from the container's start to the first liveness probe. Default: 0."""

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, data: Any) -> Any:
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
    from packaging.version import (
        InvalidVersion,
        Version,
    )  # Imported here, because few configs need it.

    try:
        Version(version)
    except InvalidVersion:
        raise invalid(f"`{version}` is not a version", "write it as in 0.9.0") from None
    return version


class HTTP(Model):
    """HTTP between clients and the server."""

    kind: Literal["http"] = "http"


class WebSocket(Model):
    """WebSocket between clients and the server."""

    kind: Literal["websocket"]
    ping_interval_seconds: float | None = None
    """Seconds between two pings of Baseten's proxy; Trussform has no proxy and ignores it."""
    ping_timeout_seconds: float | None = None
    """Seconds that Baseten's proxy waits for a pong; Trussform has no proxy and ignores it."""


class GRPC(Model):
    """gRPC between clients and the server."""

    kind: Literal["grpc"]


Transport = Annotated[HTTP | WebSocket | GRPC, Field(discriminator="kind")]


class EgressRestrictions(Model):
    """The destinations that the server may connect to. Two empty lists allow none."""

    ip_allow_list: list[Annotated[str, AfterValidator(_ipv4)]] | None = None
    """IPv4 addresses and ranges: `10.0.0.0/8`."""
    fqdn_allow_list: list[Annotated[str, AfterValidator(_fqdn)]] | None = None
    """Domain names: `*.example.com`. The stage needs `network_policy: cilium`."""


class OIDC(Model):
    """Baseten's identity token for the server; not supported."""

    enabled: bool | None = None
    """True is an error. Default: false."""


class RemoteSSH(Model):
    """Baseten's SSH access to the server; not supported."""

    enabled: bool = False
    """True is an error. Default: false."""


class Runtime(Model):
    """Settings of the running server."""

    predict_concurrency: Int = Field(default=1, ge=1)
    """The number of requests that one replica handles at once. It is a hint for autoscalers;
    Trussform does not enforce it. Default: 1."""

    transport: Transport = HTTP()
    """The protocol between clients and the server. Default: `{kind: http}`."""

    is_websocket_endpoint: bool | None = None
    """Truss's older field for `transport: {kind: websocket}`."""

    health_checks: HealthChecks = HealthChecks()
    """Thresholds of the startup, readiness and liveness probes."""

    streaming_read_timeout: Int = 60
    """Baseten's timeout of a streamed response; the stage's `request_timeout` replaces it."""
    enable_tracing_data: bool = False
    """Only Truss's own server reads it."""
    enable_debug_logs: bool = False
    """Only Truss's own server reads it."""
    truss_server_version_override: Annotated[str, AfterValidator(_version)] | None = None
    """Only Truss's own server reads it."""

    egress_restrictions: EgressRestrictions | None = None
    """The addresses and names that the server may connect to. Default: all."""

    oidc: OIDC = OIDC()
    """Baseten's identity token for the server; not supported."""

    remote_ssh: RemoteSSH = RemoteSSH()
    """Baseten's SSH access to the server; not supported. Use `kubectl exec`."""

    @model_validator(mode="before")
    @classmethod
    def _rename_old_fields(cls, data: Any) -> Any:
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
