"""websockets, by threads and by asyncio, with each URL that the clients of Baseten build."""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

import websockets.asyncio.client
import websockets.sync.client
from checks import REQUEST_ID, Key, main

PATHS = {
    "environments": "/environments/production/websocket",
    "production": "/production/websocket",
    "bare": "/websocket",
    "development": "/development/websocket",
}


class Server(NamedTuple):
    url: str
    headers: dict[str, str]


def connect(urls: dict[str, str], key: Key) -> Server:
    return Server(urls["socket"].replace("http", "ws", 1), key.headers)


def shape(path: str) -> Callable[[Server], Any]:
    def check(server: Server) -> Any:
        with open_sync(server, path) as socket:
            socket.send("hello")
            return socket.recv(timeout=10)

    return check


def by_asyncio(server: Server) -> Any:
    async def talk() -> Any:
        url = f"{server.url}/environments/production/websocket"
        connection = websockets.asyncio.client.connect(url, additional_headers=server.headers)
        async with connection as socket:
            await socket.send("hello")
            return await socket.recv()

    return asyncio.run(talk())


def request_id(server: Server) -> bool:
    """Returns whether the answer to the handshake has one."""
    with open_sync(server, PATHS["environments"]) as socket:
        return bool(socket.response.headers.get(REQUEST_ID))


def open_sync(server: Server, path: str) -> websockets.sync.client.ClientConnection:
    return websockets.sync.client.connect(f"{server.url}{path}", additional_headers=server.headers)


CHECKS = {
    **{name: shape(path) for name, path in PATHS.items()},
    "asyncio": by_asyncio,
    "request-id": request_id,
}

if __name__ == "__main__":
    main("websockets", connect, CHECKS)
