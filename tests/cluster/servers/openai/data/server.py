"""A server of OpenAI's API, and of Baseten's for embeddings, ranks and classes.

Every answer has a header `X-Seen`: JSON of the request as it arrived. A model, or a path, named
`status-CODE` answers with that status.
"""

import base64
import json
import os
import re
import signal
import struct
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORDS = ("Hello", " from", " the", " server")
EMBEDDING = (0.25, -0.5, 1.0)
SEEN = {
    "authorization": "Authorization",
    "baseten_authorization": "Baseten-Authorization",
    "request_id": "X-Baseten-Request-Id",
}
ERRORS = {
    400: "invalid_request_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "server_error",
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer_at(self.path.partition("?")[0], self.read())

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def answer_at(self, path: str, body: bytes) -> None:
        if path == "/v1/audio/transcriptions":
            return self.answer(transcribe(self.headers["Content-Type"], body))
        asked = json.loads(body) if body else {}
        wanted = re.search(r"status-(\d+)", f"{path} {asked.get('model', '')}")
        if wanted:
            return self.invalid(int(wanted[1]))
        if path == "/v1/chat/completions" and asked.get("stream"):
            return self.stream(asked)
        if path in ANSWERS:
            return self.answer(ANSWERS[path](asked))
        return self.invalid(404)

    def read(self) -> bytes:
        """The body, by its length or in chunks."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, value: dict[str, Any] | list[Any], status: int = 200) -> None:
        text = json.dumps(value).encode()
        self.begin(status, "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def invalid(self, status: int) -> None:
        kind = ERRORS.get(status, "error")
        error = {"message": f"asked for {status}", "type": kind, "param": None, "code": kind}
        self.answer({"error": error}, status)

    def stream(self, asked: dict[str, Any]) -> None:
        self.begin(200, "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for word in WORDS:
            self.event(chunk(asked, {"role": "assistant", "content": word}))
        self.event(chunk(asked, {}, "stop"))
        if asked.get("stream_options", {}).get("include_usage"):
            self.event({**chunk(asked, {}), "choices": [], "usage": USAGE})
        self.send(b"data: [DONE]\n\n")
        self.send(b"")

    def event(self, value: dict[str, Any]) -> None:
        self.send(b"data: " + json.dumps(value).encode() + b"\n\n")

    def send(self, part: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.flush()

    def begin(self, status: int, content: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content)
        self.send_header("X-Seen", json.dumps(self.seen()))

    def seen(self) -> dict[str, str | None]:
        headers = {name: self.headers.get(header) for name, header in SEEN.items()}
        stage = os.environ.get("STAGE")
        return {"method": self.command, "path": self.path, "stage": stage, **headers}

    def log_message(self, format: str, *args: Any) -> None:
        pass


USAGE = {"prompt_tokens": 1, "completion_tokens": len(WORDS), "total_tokens": 1 + len(WORDS)}


def completion(asked: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": "".join(WORDS)}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {**about(asked, "chat.completion"), "choices": [choice], "usage": USAGE}


def chunk(
    asked: dict[str, Any], delta: dict[str, str], finish: str | None = None
) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {**about(asked, "chat.completion.chunk"), "choices": [choice]}


def about(asked: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": asked["model"]}


def embeddings(asked: dict[str, Any]) -> dict[str, Any]:
    texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
    vector: Any = list(EMBEDDING)
    if asked.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack(f"<{len(EMBEDDING)}f", *EMBEDDING)).decode()
    data = [
        {"object": "embedding", "index": index, "embedding": vector} for index in range(len(texts))
    ]
    usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
    return {"object": "list", "data": data, "model": asked["model"], "usage": usage}


def models(asked: dict[str, Any]) -> dict[str, Any]:
    model = {"id": "test-model", "object": "model", "created": 1, "owned_by": "tests"}
    return {"object": "list", "data": [model]}


def transcribe(content_type: str, body: bytes) -> dict[str, Any]:
    """Says the fields of the form, and the name and the size of its file."""
    form = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    said = []
    for part in form.get_payload():
        name = part.get_param("name", header="Content-Disposition")
        value = part.get_payload(decode=True)
        file = part.get_filename()
        said.append(f"{name}={file}:{len(value)}" if file else f"{name}={value.decode()}")
    return {"text": " ".join(sorted(said))}


def rerank(asked: dict[str, Any]) -> list[dict[str, Any]]:
    """The texts by their length, the longest first."""
    ranked = [
        {"index": index, "score": float(len(text)), "text": text if asked["return_text"] else None}
        for index, text in enumerate(asked["texts"])
    ]
    return sorted(ranked, key=lambda found: -found["score"])


def predict(asked: dict[str, Any]) -> dict[str, Any] | list[Any]:
    """The classes of `inputs`; anything else as it came."""
    if "inputs" not in asked:
        return {"asked": asked}
    return [[{"label": text[0], "score": 1.0}] for text in asked["inputs"]]


ANSWERS = {
    "/health": lambda asked: {"status": "ok"},
    "/v1/chat/completions": completion,
    "/v1/embeddings": embeddings,
    "/v1/models": models,
    "/rerank": rerank,
    "/predict": predict,
    "/v1/predict": predict,
    "/echo": predict,
}

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer(("", 9000), Handler).serve_forever()
