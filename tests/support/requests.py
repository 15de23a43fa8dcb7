"""Requests through a gateway, answered by a pod: tests for each kind of route."""

import asyncio
import hashlib
import os
from collections.abc import Callable
from typing import Any, cast

import grpc
import httpx
import pytest

from support.clients import open_client, open_socket

MakeClient = Callable[..., httpx.Client]
MEGABYTE = 1 << 20


@pytest.fixture
def echo(environment: str, client: MakeClient) -> httpx.Client:
    return client("echo", environment)


def test_predict_goes_to_the_predict_endpoint(echo: httpx.Client) -> None:
    answer = echo.post("/predict", content=b"hello").json()
    assert (answer["method"], answer["path"]) == ("POST", "/v1/predict")
    assert answer["sha256"] == hashlib.sha256(b"hello").hexdigest()


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("/sync", "/"),
        ("/sync/", "/"),
        ("/sync/v1/models", "/v1/models"),
        ("/sync/a/b/c/d.e", "/a/b/c/d.e"),
        ("/sync/search?q=a%20b&n=1&n=2", "/search?q=a%20b&n=1&n=2"),
        ("/sync/with%20space/and+plus", "/with%20space/and+plus"),
        ("/sync/%C3%A9t%C3%A9", "/%C3%A9t%C3%A9"),
        ("/sync/environments/dev/sync/x", "/environments/dev/sync/x"),
        ("/predict?stream=true", "/v1/predict?stream=true"),
    ],
)
def test_paths_arrive_as_they_were_sent(echo: httpx.Client, path: str, inside: str) -> None:
    assert echo.get(path).json()["path"] == inside


@pytest.mark.parametrize("path", ["/predict/more", "/syncope", "/other"])
def test_other_paths_are_nowhere(echo: httpx.Client, path: str) -> None:
    assert echo.get(path).status_code == 404


def test_another_host_is_nowhere(environment: str, client: MakeClient) -> None:
    assert client("nobody", environment).get("/predict").status_code == 404


def test_a_hundred_megabytes_go_up(echo: httpx.Client) -> None:
    body = os.urandom(MEGABYTE) * 100
    answer = echo.post("/sync/upload", content=body).json()
    assert (answer["size"], answer["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())


def test_a_hundred_megabytes_come_down(echo: httpx.Client) -> None:
    size = 0
    with echo.stream("GET", "/sync/download?megabytes=100") as response:
        for chunk in response.iter_bytes():
            size += len(chunk)
    assert size == 100 * MEGABYTE


def test_a_stream_arrives_as_it_is_made(echo: httpx.Client, environment: str) -> None:
    with (
        echo.stream("GET", "/sync/stream") as response,
        open_client("echo", environment) as other,
    ):
        chunks = response.iter_lines()
        assert next(chunks) == "first"
        # The last is not made before this: no proxy waits for the whole.
        other.get("/sync/release")
        assert next(chunks) == "last"


@pytest.mark.parametrize("path", ["websocket", "sync/any/socket"])
def test_websockets_speak_both_ways(environment: str, path: str) -> None:
    async def talk() -> list[Any]:
        async with open_socket("echo", environment, path) as socket:
            answers: list[Any] = []
            for word in ("one", "two"):
                await socket.send(word)
                answers.append(await socket.recv())
            return answers

    assert asyncio.run(talk()) == ["ONE", "TWO"]


def speak(channel: grpc.Channel) -> None:
    assert channel.unary_unary("/test.Echo/Say")(b"hello", timeout=30) == b"HELLO"
    numbers = cast(Any, channel).unary_stream("/test.Echo/Count")(b"3", timeout=30)
    assert list(numbers) == [b"0", b"1", b"2"]
    words = cast(Any, channel).stream_stream("/test.Echo/Talk")(iter([b"one", b"two"]), timeout=30)
    assert list(words) == [b"ONE", b"TWO"]
