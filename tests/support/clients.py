"""Clients of the servers, through the gateway."""

from typing import Any, cast

import grpc
import httpx
from testbed.settings import Gateway
from websockets.asyncio.client import connect

from support.cluster import cluster

DOMAIN = "models.localhost"
GATEWAYS: dict[str, Gateway] = {"nginx-in": "nginx"}
"""The gateway of each environment that does not use Traefik."""
COLD_START = 600
"""Seconds that the first request to a server at zero may wait."""


def open_client(server: str, environment: str, gateway: Gateway | None = None) -> httpx.Client:
    return httpx.Client(
        base_url=_gateway(gateway or _of(environment)).join(f"/environments/{environment}"),
        headers={"Host": f"{server}.{DOMAIN}"},
        timeout=150,
    )


def open_channel(server: str, gateway: Gateway = "traefik") -> grpc.Channel:
    url = _gateway(gateway)
    target = f"{url.host}:{url.port or 80}"
    return grpc.insecure_channel(target, [("grpc.default_authority", f"{server}.{DOMAIN}")])


def open_socket(
    server: str, environment: str, path: str, gateway_name: Gateway | None = None
) -> Any:
    url = f"ws://{server}.{DOMAIN}/environments/{environment}/{path}"
    gateway = _gateway(gateway_name or _of(environment))
    return connect(url, host=gateway.host, port=gateway.port, open_timeout=COLD_START)


def _of(environment: str) -> Gateway:
    return GATEWAYS.get(environment, "traefik")


def _gateway(name: Gateway) -> httpx.URL:
    return httpx.URL(cluster().gateways[name])


def call_of(channel: grpc.Channel, method: str) -> Any:
    """Returns a call of the test's service that takes and gives one message of bytes."""
    return cast(Any, channel).unary_unary(f"/test.Echo/{method}")
