"""The OpenAI SDK, with `/sync/v1` in its base URL."""

import asyncio
import io
from typing import Any

import openai
from checks import Key, by_name, main, same_id
from openai import AsyncOpenAI, Omit, OpenAI

MODEL = "test-model"
ASKED: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}


class Clients:
    def __init__(self, urls: dict[str, str], key: Key) -> None:
        options: dict[str, Any] = {
            "base_url": f"{urls['chat']}/environments/production/sync/v1",
            "api_key": key.bearer or "none",
            "max_retries": 0,
        }
        if key.bearer is None:
            options["default_headers"] = key.headers
        self.sync, self.by_async = OpenAI(**options), AsyncOpenAI(**options)
        self.extra: dict[str, Any] = {}
        if not key.headers:
            # The SDK sends no request without a key unless each call asks for that.
            self.extra = {"extra_headers": {"Authorization": Omit()}}


def chat(clients: Clients) -> str:
    answer = clients.sync.chat.completions.create(**ASKED, **clients.extra)
    return answer.choices[0].message.content


def chat_async(clients: Clients) -> str:
    async def ask() -> str:
        async with clients.by_async as client:
            answer = await client.chat.completions.create(**ASKED, **clients.extra)
        return answer.choices[0].message.content

    return asyncio.run(ask())


def stream(clients: Clients) -> list[str]:
    chunks = clients.sync.chat.completions.create(
        **ASKED, stream=True, stream_options={"include_usage": True}, **clients.extra
    )
    return [found.choices[0].delta.content for found in chunks
            if found.choices and found.choices[0].delta.content]  # fmt: skip


def embeddings(clients: Clients) -> list[list[float]]:
    """The SDK asks for base64, and decodes it."""
    answer = clients.sync.embeddings.create(model=MODEL, input=["one", "two"], **clients.extra)
    return [found.embedding for found in answer.data]


def models(clients: Clients) -> list[str]:
    return [model.id for model in clients.sync.models.list(**clients.extra)]


def transcription(clients: Clients) -> str:
    """A multipart upload."""
    file = io.BytesIO(b"\0" * 100_000)
    file.name = "speech.wav"
    return clients.sync.audio.transcriptions.create(model=MODEL, file=file, **clients.extra).text


def request_id(clients: Clients) -> bool:
    return same_id(clients.sync.models.with_raw_response.list(**clients.extra).headers)


def no_route(clients: Clients) -> list[str]:
    """The gateway's own 404, whose body is no JSON."""
    url = str(clients.sync.base_url).replace("/production/", "/nowhere/")
    return [
        model.id for model in clients.sync.with_options(base_url=url).models.list(**clients.extra)
    ]


def status_400(clients: Clients) -> str:
    return fail(clients, 400)


def status_404(clients: Clients) -> str:
    return fail(clients, 404)


def status_429(clients: Clients) -> str:
    return fail(clients, 429)


def status_500(clients: Clients) -> str:
    return fail(clients, 500)


def fail(clients: Clients, status: int) -> str:
    """Returns the class of the error and the message in the server's body."""
    try:
        clients.sync.chat.completions.create(
            **{**ASKED, "model": f"status-{status}"}, **clients.extra
        )
    except openai.APIStatusError as error:
        if error.status_code != status:
            raise
        return f"{type(error).__name__}: {error.body['message']}"
    return "no error"


CHECKS = by_name(
    chat, chat_async, stream, embeddings, models, transcription, request_id, no_route,
    status_400, status_404, status_429, status_500,
)  # fmt: skip

if __name__ == "__main__":
    main("openai", Clients, CHECKS)
