"""OpenAI's `/v1/embeddings`, answered by all-MiniLM-L6-v2."""

import asyncio

import minilm
from aiohttp import web


async def health(request: web.Request) -> web.Response:
    return web.Response()


async def embeddings(request: web.Request) -> web.Response:
    try:
        texts = (await request.json())["input"]
    except (ValueError, KeyError, TypeError):
        return refused("send JSON with `input`: a text, or a list of texts")
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return refused("`input` is a text, or a list of texts")
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


def refused(message: str) -> web.Response:
    error = {"message": message, "type": "invalid_request_error"}
    return web.json_response({"error": error}, status=400)


app = web.Application(client_max_size=1 << 24)
app.router.add_get("/health", health)
app.router.add_post("/v1/embeddings", embeddings)
web.run_app(app, port=8000)
