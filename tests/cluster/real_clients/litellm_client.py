"""LiteLLM, by its providers `openai` and `baseten`."""

import asyncio
from typing import Any

import litellm
from checks import Key, by_name, main

litellm.suppress_debug_info = True

MESSAGES = [{"role": "user", "content": "Hello"}]
Options = dict[str, Any]


def connect(urls: dict[str, str], key: Key) -> Options:
    options: Options = {
        "api_base": f"{urls['chat']}/environments/production/sync/v1",
        "api_key": key.bearer or "none",
        "max_retries": 0,
    }
    return options if key.bearer else {**options, "extra_headers": key.headers}


def completion(options: Options) -> str:
    return ask("openai/test-model", options)


def completion_async(options: Options) -> str:
    asked = litellm.acompletion("openai/test-model", messages=MESSAGES, **options)
    return asyncio.run(asked).choices[0].message.content


def completion_baseten(options: Options) -> str:
    return ask("baseten/test-model", options)


def stream(options: Options) -> str:
    chunks = litellm.completion("openai/test-model", messages=MESSAGES, stream=True, **options)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def embedding(options: Options) -> list[list[float]]:
    answer = litellm.embedding("openai/test-model", input=["one", "two"], **options)
    return [found["embedding"] for found in answer.data]


def status_400(options: Options) -> str:
    return ask("openai/status-400", options)


def status_404(options: Options) -> str:
    return ask("openai/status-404", options)


def status_429(options: Options) -> str:
    return ask("openai/status-429", options)


def ask(model: str, options: Options) -> str:
    return litellm.completion(model, messages=MESSAGES, **options).choices[0].message.content


CHECKS = by_name(
    completion, completion_async, completion_baseten, stream, embedding,
    status_400, status_404, status_429,
)  # fmt: skip

if __name__ == "__main__":
    main("litellm", connect, CHECKS)
