"""Stores of weights as a test has them, in one HTTP server: Hugging Face's hub, S3, Google's.

Those whose hosts cannot be another (R2, CoreWeave, Azure and `https`) it has as a proxy, which
answers for them by TLS.
"""

import hashlib
import json
import re
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from support.signatures import s3_region, signed_for_azure

COMMIT = "c0ffee00" * 5
PAGE = 2
"""Objects that a list of a bucket has before one must ask for more."""
HOSTS = (
    "weights.example",
    "account.blob.core.windows.net",
    "account.r2.cloudflarestorage.com",
    "bucket.cwobject.com",
    "oauth2.googleapis.com",
)
"""Those that the proxy answers for."""

Files = dict[str, bytes]


def certificate(folder: Path) -> Path:
    """One for all hosts, which whoever asks them has to trust, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stores")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(map(x509.DNSName, HOSTS)), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / "hosts.pem"
    file.write_bytes(secret + made.public_bytes(pem))
    return file


class Stores:
    """Files by `repo` or `bucket`, what was asked for, and what goes wrong on purpose."""

    def __init__(self, address: str = "127.0.0.1", certificate: Path | None = None) -> None:
        self.repositories: dict[str, Files] = {}
        self.buckets: dict[str, Files] = {}
        self.files: Files = {}
        """The files of `https` sources, by path."""
        self.token: str | None = None
        """The token that Hugging Face asks for."""
        self.access_key: tuple[str, str] | None = None
        """The key that S3 wants requests to be signed with, and its secret; None where nobody is to
        sign."""
        self.regions: set[str] = set()
        """Those that requests were signed for."""
        self.session_tokens: set[str] = set()
        """Those of temporary keys that came with requests."""
        self.google_token: str | None = None
        """Gives a service account the token that Google Cloud Storage then asks for."""
        self.claimed: dict[str, int] = {}
        """Sizes that lists and headers give in place of a file's own."""
        self.account_key: str | None = None
        """The key with which requests to Azure are signed; None if they are not signed."""
        self.folders: set[str] = set()
        """Names of empty blobs of Azure that stand for folders."""
        self.moved: dict[str, Files] = {}
        """The files that the branches of a repository have by now; its commit keeps its own."""
        self.broken: dict[str, int] = {}
        """Names of files whose answers end after so many bytes."""
        self.damaged: set[str] = set()
        """Names of files that come with another content once."""
        self.asked: list[str] = []
        self.ranges: list[str] = []
        """Those of files that were asked for."""
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if certificate:
            self.tls.load_cert_chain(certificate)
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
    host = ""
    """Whom the client means, where this is its proxy."""

    def log_message(self, format: str, *args: object) -> None:
        pass

    def finish(self) -> None:
        super().finish()
        # TLS has a socket of its own, of which the server knows nothing.
        self.request.close()

    def do_CONNECT(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.host = f"https://{self.path.removesuffix(':443')}"
        self.request = self.stores.tls.wrap_socket(self.request, server_side=True)
        self.setup()
        self.close_connection = False

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer()

    def answer(self) -> None:
        parts = urlsplit(self.path)
        path, query = self.host + unquote(parts.path), parse_qs(parts.query)
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
        if self.command != "HEAD":
            self.wfile.write(body)

    def size(self, name: str, data: bytes) -> int:
        return self.stores.claimed.get(name, len(data))

    def reply_file(self, name: str, body: bytes, **headers: str) -> None:
        if name in self.stores.damaged and self.command == "GET":
            self.stores.damaged.remove(name)
            body = b"x" * len(body)
        asked = self.headers["x-ms-range"] or self.headers["Range"]
        if self.headers["If-Range"] not in (None, headers.get("ETag")):
            asked = None
        if asked:
            self.stores.ranges.append(asked)
        first, _, last = (asked or "bytes=0-").removeprefix("bytes=").partition("-")
        start, stop = int(first), min(int(last or len(body)) + 1, len(body))
        if asked and start >= len(body):
            return self.reply(416, b"", Content_Range=f"bytes */{len(body)}", **headers)
        self.send_response(206 if asked else 200)
        claimed = self.size(name, body)
        length = stop - start if asked else claimed
        about = {"Content-Length": str(length), "Accept-Ranges": "bytes", **headers}
        if asked:
            about["Content-Range"] = f"bytes {start}-{stop - 1}/{claimed}"
        for key, value in about.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            end = min(stop, self.stores.broken.get(name, stop))
            self.wfile.write(body[start:end])
            self.close_connection = end - start < length
        return None

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

    def hub_tree(self, repo: str, revision: str, query: object) -> None:
        if self.allowed():
            files = self.stores.repositories[repo].items()
            if revision != COMMIT:
                files = self.stores.moved.get(repo, dict(files)).items()
            tree = [
                {
                    "type": "file",
                    "path": name,
                    "size": self.size(name, data),
                    "oid": _git(data),
                    **_lfs(name, data),
                }
                for name, data in files
            ]
            self.reply(200, json.dumps(tree).encode())

    def hub_file(self, repo: str, name: str, query: object) -> None:
        if self.allowed():
            data = self.stores.repositories[repo][name]
            large = _lfs(name, data)
            checksum = large["lfs"]["oid"] if large else _git(data)
            self.reply_file(name, data, **{"ETag": f'"{checksum}"', "X-Repo-Commit": COMMIT})

    def page(self, bucket: str, prefix: str, after: str) -> tuple[Files, str]:
        """Some files of a bucket, and the name after which one goes on."""
        files = sorted(self.stores.buckets[bucket].items())
        found = [file for file in files if file[0].startswith(prefix) and file[0] > after]
        return dict(found[:PAGE]), found[PAGE - 1][0] if len(found) > PAGE else ""

    def s3_allowed(self) -> bool:
        wanted = self.stores.access_key
        if wanted is None and self.headers["Authorization"] is None:
            return True
        region = wanted and s3_region(*wanted, self.command, self.path, self.headers)
        if not region:
            self.reply(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
            return False
        self.stores.regions.add(region)
        if token := self.headers["X-Amz-Security-Token"]:
            self.stores.session_tokens.add(token)
        return True

    def s3_list(self, bucket: str, query: dict[str, list[str]]) -> None:
        if not self.s3_allowed():
            return
        prefix, after = (query.get(name, [""])[0] for name in ("prefix", "continuation-token"))
        files, more = self.page(bucket, prefix, after)
        found = "".join(
            f"<Contents><Key>{escape(name)}</Key><Size>{self.size(name, data)}</Size></Contents>"
            for name, data in files.items()
        )
        if more:
            found += f"<NextContinuationToken>{escape(more)}</NextContinuationToken>"
        found += f"<IsTruncated>{str(bool(more)).lower()}</IsTruncated>"
        self.reply(200, f"<ListBucketResult>{found}</ListBucketResult>".encode())

    def s3_file(self, bucket: str, name: str, query: object) -> None:
        if self.s3_allowed():
            self.reply_file(name, self.stores.buckets[bucket][name])

    def google_login(self, query: object) -> None:
        answer = {"access_token": self.stores.google_token, "expires_in": 3600}
        self.reply(200, json.dumps(answer).encode(), Content_Type="application/json")

    def google_allowed(self) -> bool:
        wanted = self.stores.google_token
        if wanted is None or self.headers["Authorization"] == f"Bearer {wanted}":
            return True
        self.reply(401, b"{}")
        return False

    def google_list(self, bucket: str, query: dict[str, list[str]]) -> None:
        if not self.google_allowed():
            return
        prefix, after = (query.get(name, [""])[0] for name in ("prefix", "pageToken"))
        files, more = self.page(bucket, prefix, after)
        items = [
            {"name": name, "size": str(self.size(name, data)), "bucket": bucket}
            for name, data in files.items()
        ]
        body = {"kind": "storage#objects", "items": items}
        if more:
            body["nextPageToken"] = more
        self.reply(200, json.dumps(body).encode(), Content_Type="application/json")

    def google_file(self, bucket: str, name: str, query: object) -> None:
        if self.google_allowed():
            self.reply_file(name, self.stores.buckets[bucket][name])

    def azure_allowed(self) -> bool:
        key = self.stores.account_key
        if key is None and self.headers["Authorization"] is None:
            return True
        if key and signed_for_azure("account", key, self.command, self.path, self.headers):
            return True
        code = "AuthenticationFailed"
        body = f"<Error><Code>{code}</Code><Message>Not signed.</Message></Error>".encode()
        self.reply(403, body, Content_Type="application/xml", x_ms_error_code=code)
        return False

    def azure_list(self, container: str, query: dict[str, list[str]]) -> None:
        if not self.azure_allowed():
            return
        assert (query["restype"], query["comp"]) == (["container"], ["list"])
        metadata = "metadata" in query.get("include", [""])[0].split(",")
        prefix, after = (query.get(name, [""])[0] for name in ("prefix", "marker"))
        files, more = self.page(container, prefix, after)
        blobs = "".join(
            f"<Blob><Name>{escape(name)}</Name><Properties><Etag>{_etag(data)}</Etag>"
            f"<Content-Length>{self.size(name, data)}</Content-Length>"
            "<BlobType>BlockBlob</BlobType></Properties>"
            f"{_folder(name in self.stores.folders and metadata)}</Blob>"
            for name, data in files.items()
        )
        found = f"<Blobs>{blobs}</Blobs><NextMarker>{escape(more)}</NextMarker>"
        body = f"<EnumerationResults>{found}</EnumerationResults>".encode()
        self.reply(200, body, Content_Type="application/xml")

    def azure_file(self, container: str, name: str, query: object) -> None:
        if self.azure_allowed():
            data = self.stores.buckets[container][name]
            about = {"ETag": _etag(data), "x-ms-blob-type": "BlockBlob"}
            self.reply_file(name, data, **about)

    def web_file(self, name: str, query: object) -> None:
        if self.allowed():
            data = self.stores.files[name]
            self.reply_file(name, data, ETag=_etag(data))


_WAYS = (
    (r"/api/models/([^/]+/[^/]+)/revision/([^/]+)", _Handler.hub_info),
    (r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", _Handler.hub_tree),
    (r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", _Handler.hub_file),
    (r"/storage/v1/b/([^/]+)/o", _Handler.google_list),
    (r"/download/storage/v1/b/([^/]+)/o/(.+)", _Handler.google_file),
    (r"https://oauth2\.googleapis\.com/token", _Handler.google_login),
    (r"/web/(.+)", _Handler.web_file),
    (r"https://weights\.example/(.+)", _Handler.web_file),
    (r"/s3/([^/]+)", _Handler.s3_list),
    (r"/s3/([^/]+)/(.+)", _Handler.s3_file),
    (r"https://account\.r2\.cloudflarestorage\.com/([^/]+)", _Handler.s3_list),
    (r"https://account\.r2\.cloudflarestorage\.com/([^/]+)/(.+)", _Handler.s3_file),
    (r"https://(bucket)\.cwobject\.com/", _Handler.s3_list),
    (r"https://(bucket)\.cwobject\.com/(.+)", _Handler.s3_file),
    (r"https://account\.blob\.core\.windows\.net/([^/]+)", _Handler.azure_list),
    (r"https://account\.blob\.core\.windows\.net/([^/]+)/(.+)", _Handler.azure_file),
)


def _git(data: bytes) -> str:
    """The name that git gives a file's content, which the hub has as its checksum."""
    return hashlib.sha1(b"blob %d\0%s" % (len(data), data)).hexdigest()


def _etag(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()}"'


def _folder(is_folder: bool) -> str:
    """The headers of a blob."""
    return "<Metadata><hdi_isfolder>true</hdi_isfolder></Metadata>" if is_folder else ""


def _lfs(name: str, data: bytes) -> dict[str, Any]:
    """The hub's additional headers of a large file; here, its name marks it."""
    if not name.endswith(".safetensors"):
        return {}
    checksum = hashlib.sha256(data).hexdigest()
    return {"lfs": {"oid": checksum, "size": len(data), "pointerSize": 130}}
