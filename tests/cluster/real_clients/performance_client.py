"""Baseten's performance client, with `/sync` in its base URL. It sends `Bearer` alone."""

import asyncio

from baseten_performance_client import PerformanceClient, RequestProcessingPreference
from checks import Key, by_name, main, same_id

MODEL = "test-model"
ONCE = RequestProcessingPreference(max_retries=0)
TENS = RequestProcessingPreference(max_retries=0, batch_size=10, max_concurrent_requests=8)


def connect(urls: dict[str, str], key: Key) -> PerformanceClient:
    base_url = f"{urls['chat']}/environments/production/sync"
    return PerformanceClient(base_url=base_url, api_key=key.bearer)


def embed(client: PerformanceClient) -> list[list[float]]:
    answer = client.embed(["one", "two"], model=MODEL, preference=ONCE)
    return [found.embedding for found in answer.data]


def embed_async(client: PerformanceClient) -> list[list[float]]:
    async def ask() -> list[list[float]]:
        answer = await client.async_embed(["one", "two"], model=MODEL, preference=ONCE)
        return [found.embedding for found in answer.data]

    return asyncio.run(ask())


def embed_many(client: PerformanceClient) -> bool:
    """A thousand texts in a hundred requests, eight at a time."""
    answer = client.embed([str(number) for number in range(1000)], model=MODEL, preference=TENS)
    return [found.index for found in answer.data] == list(range(1000))


def rerank(client: PerformanceClient) -> list[list]:
    answer = client.rerank("query", ["a", "abc", "ab"], return_text=True, preference=ONCE)
    return [[found.index, found.score, found.text] for found in answer.data]


def classify(client: PerformanceClient) -> list[list]:
    answer = client.classify(["cat", "dog"], preference=ONCE)
    return [[found.label, found.score] for group in answer.data for found in group]


def batch_post(client: PerformanceClient) -> list[dict]:
    return client.batch_post("/echo", [{"number": 1}, {"number": 2}], preference=ONCE).data


def request_id(client: PerformanceClient) -> bool:
    (headers,) = client.batch_post("/echo", [{}], preference=ONCE).response_headers
    return same_id({name.title(): value for name, value in headers.items()})


def status_429(client: PerformanceClient) -> list[dict]:
    return client.batch_post("/status-429", [{}], preference=ONCE).data


CHECKS = by_name(
    embed, embed_async, embed_many, rerank, classify, batch_post, request_id, status_429
)

if __name__ == "__main__":
    main("baseten-performance-client", connect, CHECKS)
