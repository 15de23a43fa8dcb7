"""Requests through the gateway, answered by a pod."""

import asyncio
import hashlib
import os
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

MakeClient = Callable[..., httpx.Client]
MEGABYTE = 1 << 20

pytestmark = pytest.mark.usefixtures("dev")


def test_predict_goes_to_the_predict_endpoint(client: MakeClient) -> None:
    answer = client().post("/predict", content=b"hello").json()
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
def test_paths_arrive_as_they_were_sent(client: MakeClient, path: str, inside: str) -> None:
    assert client().get(path).json()["path"] == inside


@pytest.mark.parametrize("path", ["/predict/more", "/syncope", "/other", "/.."])
def test_other_paths_are_nowhere(client: MakeClient, path: str) -> None:
    assert client().get(path).status_code == 404


def test_another_environment_is_nowhere(client: MakeClient) -> None:
    assert client(environment="production").get("/predict").status_code == 404


def test_another_host_is_nowhere(client: MakeClient) -> None:
    assert client(server="nobody").get("/predict").status_code == 404


def test_a_hundred_megabytes_go_up(client: MakeClient) -> None:
    body = os.urandom(MEGABYTE) * 100
    answer = client().post("/sync/upload", content=body).json()
    assert (answer["size"], answer["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())


def test_a_hundred_megabytes_come_down(client: MakeClient) -> None:
    size = 0
    with client().stream("GET", "/sync/download?megabytes=100") as response:
        for chunk in response.iter_bytes():
            size += len(chunk)
    assert size == 100 * MEGABYTE


@pytest.mark.parametrize("gap", [2, 60])
def test_a_stream_arrives_as_it_is_made_and_survives_silence(client: MakeClient, gap: int) -> None:
    with client().stream("GET", f"/sync/stream?gap={gap}") as response:
        chunks = response.iter_lines()
        assert next(chunks) == "first"
        first = time.monotonic()
        assert next(chunks) == "last"
        # The first came before the last was made: no proxy waited for the whole.
        assert time.monotonic() - first > gap / 2


@pytest.mark.parametrize("path", ["websocket", "sync/any/socket"])
def test_websockets_speak_both_ways(path: str) -> None:
    async def talk() -> list[Any]:
        gateway = httpx.URL(os.environ["TRUSSFORM_TEST_GATEWAY"])
        url = f"ws://echo.models.localhost/environments/dev/{path}"
        async with connect(url, host=gateway.host, port=gateway.port) as socket:
            answers = []
            for word in ("one", "two"):
                await socket.send(word)
                answers.append(await socket.recv())
            return answers

    assert asyncio.run(talk()) == ["ONE", "TWO"]
