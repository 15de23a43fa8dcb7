"""Stores of weights as a test has them: Hugging Face's hub, S3 and Google's, in one HTTP server."""

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

COMMIT = "c0ffee00" * 5

Files = dict[str, bytes]


class Stores:
    """Files by `repo` or `bucket`, what was asked for, and what goes wrong on purpose."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.repositories: dict[str, Files] = {}
        self.buckets: dict[str, Files] = {}
        self.files: Files = {}
        """What `https` sources find, by path."""
        self.token: str | None = None
        """What Hugging Face asks for."""
        self.broken: dict[str, int] = {}
        """Names of files whose next answers end after so many bytes."""
        self.damaged: set[str] = set()
        """Names of files that come with another content once."""
        self.asked: list[str] = []
        stores = self

        class Handler(_Handler):
            pass

        Handler.stores = stores
        self.server = ThreadingHTTPServer((address, 0), Handler)
        self.url = f"http://{address}:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stores: Stores

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        parts = urlsplit(self.path)
        path, query = unquote(parts.path), parse_qs(parts.query)
        self.stores.asked.append(f"{self.command} {path}")
        for pattern, respond in _WAYS:
            if found := re.fullmatch(pattern, path):
                return respond(self, *found.groups(), query=query)
        return self.reply(404, b"")

    def reply(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def reply_file(self, name: str, body: bytes, **headers: str) -> None:
        if name in self.stores.damaged and self.command == "GET":
            self.stores.damaged.remove(name)
            body = b"x" * len(body)
        start = int((self.headers["Range"] or "bytes=0-")[len("bytes=") :].partition("-")[0])
        end = self.stores.broken.pop(name, len(body)) if self.command == "GET" else len(body)
        self.send_response(206 if start else 200)
        about = {"Content-Length": str(len(body) - start), "Accept-Ranges": "bytes", **headers}
        if start:
            about["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        for key, value in about.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[start:end])
            self.close_connection = end < len(body)

    def allowed(self) -> bool:
        wanted = self.stores.token
        if wanted is None or self.headers["Authorization"] == f"Bearer {wanted}":
            return True
        self.reply(401, b"{}", X_Error_Code="GatedRepo", X_Error_Message="Access is restricted.")
        return False

    def hub_info(self, repo: str, *_: str, query: object) -> None:
        if self.allowed():
            names = [{"rfilename": name} for name in self.stores.repositories[repo]]
            self.reply(200, json.dumps({"id": repo, "sha": COMMIT, "siblings": names}).encode())

    def hub_tree(self, repo: str, *_: str, query: object) -> None:
        if self.allowed():
            files = self.stores.repositories[repo].items()
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": _git(data)}
                for name, data in files
            ]
            self.reply(200, json.dumps(tree).encode())

    def hub_file(self, repo: str, name: str, query: object) -> None:
        if self.allowed():
            data = self.stores.repositories[repo][name]
            self.reply_file(name, data, **{"ETag": f'"{_git(data)}"', "X-Repo-Commit": COMMIT})

    def s3_list(self, bucket: str, query: dict[str, list[str]]) -> None:
        prefix = query.get("prefix", [""])[0]
        found = "".join(
            f"<Contents><Key>{escape(name)}</Key><Size>{len(data)}</Size></Contents>"
            for name, data in self.stores.buckets[bucket].items()
            if name.startswith(prefix)
        )
        self.reply(200, f"<ListBucketResult>{found}</ListBucketResult>".encode())

    def s3_file(self, bucket: str, name: str, query: object) -> None:
        self.reply_file(name, self.stores.buckets[bucket][name])

    def google_list(self, bucket: str, query: dict[str, list[str]]) -> None:
        prefix = query.get("prefix", [""])[0]
        items = [
            {"name": name, "size": str(len(data)), "bucket": bucket}
            for name, data in self.stores.buckets[bucket].items()
            if name.startswith(prefix)
        ]
        body = json.dumps({"kind": "storage#objects", "items": items}).encode()
        self.reply(200, body, Content_Type="application/json")

    def google_file(self, bucket: str, name: str, query: object) -> None:
        self.reply_file(name, self.stores.buckets[bucket][name])

    def web_file(self, name: str, query: object) -> None:
        if self.allowed():
            self.reply_file(name, self.stores.files[name])


_WAYS = (
    (r"/api/models/([^/]+/[^/]+)/revision/([^/]+)", _Handler.hub_info),
    (r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", _Handler.hub_tree),
    (r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", _Handler.hub_file),
    (r"/storage/v1/b/([^/]+)/o", _Handler.google_list),
    (r"/download/storage/v1/b/([^/]+)/o/(.+)", _Handler.google_file),
    (r"/web/(.+)", _Handler.web_file),
    (r"/s3/([^/]+)", _Handler.s3_list),
    (r"/s3/([^/]+)/(.+)", _Handler.s3_file),
)


def _git(data: bytes) -> str:
    """The name that git gives a file's content, which the hub has as its checksum."""
    return hashlib.sha1(b"blob %d\0%s" % (len(data), data)).hexdigest()
