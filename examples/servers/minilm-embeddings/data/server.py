"""OpenAI's `/v1/embeddings`, answered by all-MiniLM-L6-v2."""

import asyncio
import json

import minilm
from aiohttp import web


async def health(request: web.Request) -> web.Response:
    return web.Response()


async def embeddings(request: web.Request) -> web.Response:
    try:
        texts = json.loads(await request.read())["input"]
    except (ValueError, LookupError, TypeError, RecursionError):
        texts = None
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list) or not texts or not all(map(is_text, texts)):
        return refused("send JSON with `input`: a text, or a list of texts")
    made = [await asyncio.to_thread(minilm.embed, text) for text in texts]
    tokens = sum(count for _, count in made)
    return web.json_response(
        {
            "object": "list",
            "model": "all-MiniLM-L6-v2",
            "data": [
                {"object": "embedding", "index": index, "embedding": vector}
                for index, (vector, _) in enumerate(made)
            ],
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )


def is_text(value: object) -> bool:
    """Returns true if the tokenizer can read the text; half of a surrogate pair is not text."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def refused(message: str) -> web.Response:
    error = {"message": message, "type": "invalid_request_error"}
    return web.json_response({"error": error}, status=400)


app = web.Application(client_max_size=1 << 20)
app.router.add_get("/health", health)
app.router.add_post("/v1/embeddings", embeddings)
web.run_app(app, port=8000)
