"""Signatures as S3 and Azure want them, worked out anew from the request that has come."""

import base64
import hashlib
import hmac
import re
from email.message import Message
from urllib.parse import parse_qs, urlsplit

_S3 = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\S+), SignedHeaders=(\S+), Signature=(.+)")
_OF_AZURE = (
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-MD5",
    "Content-Type",
    "Date",
    "If-Modified-Since",
    "If-Match",
    "If-None-Match",
    "If-Unmodified-Since",
    "Range",
)
"""Headers that Azure's signature is of, in its order."""


def s3_region(key: str, secret: str, method: str, target: str, headers: Message) -> str | None:
    """That of a request by Signature Version 4; None where it is not signed with the secret."""
    given = _S3.fullmatch(headers["Authorization"] or "")
    if given is None:
        return None
    scope, names = given[2], given[3]
    url = urlsplit(target)
    lines = [
        method,
        url.path,
        "&".join(sorted(url.query.split("&"))),
        *(f"{name}:{headers[name]}" for name in names.split(";")),
        "",
        names,
        headers["x-amz-content-sha256"],
    ]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    signing = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        signing = _hmac(signing, part)
    text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, digest])
    signed = (given[1], given[4]) == (key, _hmac(signing, text).hex())
    return scope.split("/")[1] if signed else None


def signed_for_azure(account: str, key: str, method: str, target: str, headers: Message) -> bool:
    """Returns true if a request is signed with Shared Key."""
    url = urlsplit(target)
    query = parse_qs(url.query, keep_blank_values=True)
    own = sorted((name.lower(), value) for name, value in headers.items())
    lines = [
        method,
        *(headers[name] or "" for name in _OF_AZURE),
        *(f"{name}:{value}" for name, value in own if name.startswith("x-ms-")),
        f"/{account}{url.path}",
        *(f"{name}:{','.join(sorted(query[name]))}" for name in sorted(query)),
    ]
    signature = _hmac(base64.b64decode(key), "\n".join(lines))
    return headers["Authorization"] == (
        f"SharedKey {account}:{base64.b64encode(signature).decode()}"
    )


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
