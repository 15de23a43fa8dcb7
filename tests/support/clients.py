"""Clients of the servers, through the gateway."""

import os
from typing import Any, cast

import grpc
import httpx
from websockets.asyncio.client import connect

DOMAIN = "models.localhost"
GATEWAYS = {"nginx-in": "NGINX"}
"""The gateway of each environment that does not use Traefik."""


def open_client(server: str, environment: str, gateway: str | None = None) -> httpx.Client:
    return httpx.Client(
        base_url=_gateway(gateway or _of(environment)).join(f"/environments/{environment}"),
        headers={"Host": f"{server}.{DOMAIN}"},
        timeout=150,
    )


def open_channel(server: str, gateway: str = "GATEWAY") -> grpc.Channel:
    url = _gateway(gateway)
    target = f"{url.host}:{url.port or 80}"
    return grpc.insecure_channel(target, [("grpc.default_authority", f"{server}.{DOMAIN}")])


def open_socket(server: str, environment: str, path: str, gateway_name: str | None = None) -> Any:
    url = f"ws://{server}.{DOMAIN}/environments/{environment}/{path}"
    gateway = _gateway(gateway_name or _of(environment))
    return connect(url, host=gateway.host, port=gateway.port)


def _of(environment: str) -> str:
    return GATEWAYS.get(environment, "GATEWAY")


def _gateway(name: str) -> httpx.URL:
    return httpx.URL(os.environ[f"TRUSSFORM_TEST_{name}"])


def call_of(channel: grpc.Channel, method: str) -> Any:
    """Returns a call of the test's service that takes and gives one message of bytes."""
    return cast(Any, channel).unary_unary(f"/test.Echo/{method}")
