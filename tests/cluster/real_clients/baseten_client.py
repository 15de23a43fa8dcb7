"""Baseten's own SDK: its inference client, with another base URL."""

import asyncio
import json
from contextlib import closing
from typing import Any

from baseten.client import AsyncInferenceClient, InferenceClient
from baseten.client.inferenceapi import PredictInput
from checks import Key, by_name, main, same_id

ASKED = PredictInput({"prompt": "Hello"})


class Clients:
    def __init__(self, urls: dict[str, str], key: Key) -> None:
        options: dict[str, Any] = {"base_url_override": urls["chat"], "api_key": key.bearer or ""}
        if key.bearer is None:
            options["headers"] = key.headers
        self.api = InferenceClient(**options).api
        self.by_async = AsyncInferenceClient(**options)


def predict(clients: Clients) -> Any:
    return clients.api.predict(env_name="production", request=ASKED).root


def predict_async(clients: Clients) -> Any:
    async def ask() -> Any:
        async with clients.by_async as client:
            return (await client.api.predict(env_name="production", request=ASKED)).root

    return asyncio.run(ask())


def predict_production(clients: Clients) -> Any:
    return clients.api.predict_production(request=ASKED).root


def predict_regional(clients: Clients) -> Any:
    """The bare path `/predict`."""
    return clients.api.predict_regional(request=ASKED).root


def predict_development(clients: Clients) -> str:
    """Returns the name of the stage that answers."""
    asked = clients.api.predict_development_raw(request=ASKED, accept="application/json")
    with closing(asked) as response:
        return json.loads(response.headers["X-Seen"])["stage"]


def request_id(clients: Clients) -> bool:
    asked = clients.api.predict_raw(env_name="production", request=ASKED, accept="application/json")
    with closing(asked) as response:
        return same_id(response.headers)


def status_429(clients: Clients) -> Any:
    asked = PredictInput({"model": "status-429"})
    return clients.api.predict(env_name="production", request=asked).root


CHECKS = by_name(
    predict, predict_async, predict_production, predict_regional, predict_development,
    request_id, status_429,
)  # fmt: skip

if __name__ == "__main__":
    main("baseten", Clients, CHECKS)
