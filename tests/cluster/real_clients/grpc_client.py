"""gRPC for Python, with the key in the metadata of each call."""

import asyncio
import json
from typing import NamedTuple

import grpc
from checks import REQUEST_ID, Key, by_name, main


class Server(NamedTuple):
    target: str
    metadata: list[tuple[str, str]]


def connect(urls: dict[str, str], key: Key) -> Server:
    return Server(urls["calls"].removeprefix("http://"), list(key.headers.items()))


def unary(server: Server) -> str:
    with grpc.insecure_channel(server.target) as channel:
        say = channel.unary_unary("/test.Echo/Say")
        return say(b"hello", timeout=20, metadata=server.metadata).decode()


def unary_async(server: Server) -> str:
    async def call() -> str:
        async with grpc.aio.insecure_channel(server.target) as channel:
            say = channel.unary_unary("/test.Echo/Say")
            return (await say(b"hello", timeout=20, metadata=server.metadata)).decode()

    return asyncio.run(call())


def server_stream(server: Server) -> list[str]:
    with grpc.insecure_channel(server.target) as channel:
        count = channel.unary_stream("/test.Echo/Count")
        return [number.decode() for number in count(b"3", timeout=20, metadata=server.metadata)]


def both_streams(server: Server) -> list[str]:
    with grpc.insecure_channel(server.target) as channel:
        talk = channel.stream_stream("/test.Echo/Talk")
        said = iter([b"one", b"two"])
        return [word.decode() for word in talk(said, timeout=20, metadata=server.metadata)]


def request_id(server: Server) -> bool:
    """Returns whether the server and the client see the same id, in headers or trailers."""
    with grpc.insecure_channel(server.target) as channel:
        see = channel.unary_unary("/test.Echo/See")
        answer, call = see.with_call(b"", timeout=20, metadata=server.metadata)
    seen = json.loads(answer).get(REQUEST_ID.lower())
    got = {**dict(call.initial_metadata()), **dict(call.trailing_metadata())}
    return bool(seen) and got.get(REQUEST_ID.lower()) == seen


def key_hidden(server: Server) -> bool:
    """Returns whether the server sees no key; the first of the metadata is the one that opens."""
    with grpc.insecure_channel(server.target) as channel:
        see = channel.unary_unary("/test.Echo/See")
        seen = see(b"", timeout=20, metadata=server.metadata).decode()
    return not any(value in seen for _, value in server.metadata[:1])


CHECKS = by_name(unary, unary_async, server_stream, both_streams, request_id, key_hidden)

if __name__ == "__main__":
    main("grpcio", connect, CHECKS)
