"""Requests through the gateway, answered by a pod: by HTTPRoute and by Ingress alike."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from support.clients import open_channel, open_client
from support.requests import MakeClient, speak


@pytest.fixture(scope="module", autouse=True)
def silent(dev: str, production: str) -> Iterator[list[Future[list[str]]]]:
    """Streams with a minute of silence, each way in, while the other tests run."""

    def listen(environment: str) -> list[str]:
        with open_client("echo", environment) as asking:
            return asking.get("/sync/stream?silence=60").text.splitlines()

    with ThreadPoolExecutor() as pool:
        yield [pool.submit(listen, environment) for environment in (dev, production)]


def test_another_environment_is_nowhere(dev: str, production: str, client: MakeClient) -> None:
    assert client(environment="staging").get("/predict").status_code == 404


def test_two_environments_of_one_config_and_two_servers_of_one_stack_side_by_side(
    dev: str, production: str, client: MakeClient
) -> None:
    servers = (("echo", dev), ("echo", production), ("second", production))
    answers = [client(*server).get("/predict").json()["pod"] for server in servers]
    assert len(set(answers)) == 3


def test_a_stream_survives_a_minute_of_silence(silent: list[Future[list[str]]]) -> None:
    for stream in silent:
        assert stream.result() == ["first", "last"]


def test_grpc_speaks_by_call_by_stream_and_both_ways(environment: str) -> None:
    server = {"dev": "calls", "production": "calls-too"}[environment]
    with open_channel(server) as channel:
        speak(channel)


def test_an_embedding_server_answers_with_the_models_own_vectors(
    dev: str, client: MakeClient
) -> None:
    """The similarities are those that the model's authors print for these sentences."""
    sentences = [
        "The weather is lovely today.",
        "It's so sunny outside!",
        "He drove to the stadium.",
    ]
    for path in ("/sync/v1/embeddings", "/predict"):
        data = client("minilm").post(path, json={"input": sentences}).json()["data"]
        first, second, third = (item["embedding"] for item in data)
        assert len(first) == 384
        for one, other, similarity in (
            (first, second, 0.6660),
            (first, third, 0.1046),
            (second, third, 0.1411),
        ):
            made = sum(a * b for a, b in zip(one, other, strict=True))
            assert made == pytest.approx(similarity, abs=1e-4)
