"""Clients of the servers, through the gateway."""

import os
from typing import Any

import grpc
import httpx
from websockets.asyncio.client import connect

DOMAIN = "models.localhost"


def open_client(server: str, environment: str, gateway: str = "GATEWAY") -> httpx.Client:
    return httpx.Client(
        base_url=f"{os.environ[f'TRUSSFORM_TEST_{gateway}']}/environments/{environment}",
        headers={"Host": f"{server}.{DOMAIN}"},
        timeout=150,
    )


def open_channel(server: str, gateway: str = "GATEWAY") -> grpc.Channel:
    url = _gateway(gateway)
    target = f"{url.host}:{url.port or 80}"
    return grpc.insecure_channel(target, [("grpc.default_authority", f"{server}.{DOMAIN}")])


def open_socket(server: str, environment: str, path: str) -> Any:
    url = f"ws://{server}.{DOMAIN}/environments/{environment}/{path}"
    return connect(url, host=_gateway().host, port=_gateway().port)


def _gateway(name: str = "GATEWAY") -> httpx.URL:
    return httpx.URL(os.environ[f"TRUSSFORM_TEST_{name}"])
