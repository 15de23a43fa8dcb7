"""LangChain's chat model of Baseten."""

import asyncio
from typing import Any

from checks import Key, by_name, main
from langchain_baseten import ChatBaseten


class Models:
    """Makes models; they turn `/predict` into `/sync/v1` by themselves."""

    def __init__(self, urls: dict[str, str], key: Key) -> None:
        self.base = f"{urls['chat']}/environments/production"
        self.key = key

    def chat(self, path: str = "/predict", model: str = "test-model") -> ChatBaseten:
        options: dict[str, Any] = {"api_key": self.key.bearer or "none", "max_retries": 0}
        if self.key.bearer is None:
            options["default_headers"] = self.key.headers
        return ChatBaseten(model=model, model_url=f"{self.base}{path}", **options)


def chat(models: Models) -> str:
    return models.chat().invoke("Hello").content


def chat_async(models: Models) -> str:
    return asyncio.run(models.chat().ainvoke("Hello")).content


def chat_sync_v1(models: Models) -> str:
    return models.chat("/sync/v1").invoke("Hello").content


def stream(models: Models) -> list[str]:
    return [chunk.content for chunk in models.chat().stream("Hello") if chunk.content]


def status_429(models: Models) -> str:
    return models.chat(model="status-429").invoke("Hello").content


CHECKS = by_name(chat, chat_async, chat_sync_v1, stream, status_429)

if __name__ == "__main__":
    main("langchain-baseten", Models, CHECKS)
