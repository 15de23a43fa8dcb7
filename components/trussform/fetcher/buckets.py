"""Buckets of S3 and of stores like it, of Google Cloud Storage and of Azure."""

# pyright: reportMissingTypeStubs=false

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from .choice import choose
from .login import field_of, login
from .source import Source
from .volume import size_of, sweep

_PARALLEL = 8
"""Files that are fetched at a time."""
_GOOGLE_TOKENS = "https://oauth2.googleapis.com/token"
"""Every key of a service account has this; Baseten's page lets a secret leave it out."""


class Object(NamedTuple):
    """A file of a bucket."""

    name: str
    """Its name below the source's prefix."""
    size: int
    download: Callable[[str], object]
    """Writes its content to a path."""


def fetch(source: Source, folder: Path, make_room: Callable[[], None]) -> None:
    files = _chosen(source)
    sweep(folder, {file.name for file in files})
    make_room()

    def download(file: Object) -> None:
        _download(folder, file)

    with ThreadPoolExecutor(_PARALLEL) as pool:
        list(pool.map(download, files))


def missing(source: Source) -> int:
    """Returns the bytes of the source that are not on the volume yet."""
    files = _chosen(source)
    return sum(max(0, file.size - size_of(source.path / file.name)) for file in files)


@cache
def _chosen(source: Source) -> list[Object]:
    path = source.source.partition("://")[2]
    return choose(list(_LISTS[source.scheme](path, source)), source)


def _download(folder: Path, file: Object) -> None:
    """Downloads a file; it gets its name when it has its size."""
    path = folder / file.name
    if folder.resolve() not in path.resolve().parents:
        raise ValueError(f"the name {file.name} leads out of the folder")
    if path.is_file() and path.stat().st_size == file.size:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    file.download(str(part))
    if part.stat().st_size != file.size:
        raise OSError(f"{file.name} has {part.stat().st_size} bytes in place of {file.size}")
    part.rename(path)


def _below(prefix: str, name: str) -> str | None:
    """Returns the name of an object below the prefix; None for one that merely begins alike."""
    prefix = prefix.strip("/")
    if not prefix or name == prefix:
        return name.rpartition("/")[2] if prefix else name
    return name.removeprefix(f"{prefix}/") if name.startswith(f"{prefix}/") else None


def _list_s3(path: str, source: Source) -> Iterator[Object]:
    bucket, _, prefix = path.partition("/")
    if source.scheme == "r2":
        bucket = bucket.partition(".")[2]
    client = _s3_client(path, source)

    def download(key: str) -> Callable[[str], object]:
        return lambda file: client.download_file(bucket, key, file)

    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", ()):
            name = _below(prefix, item["Key"])
            if name and not item["Key"].endswith("/"):
                yield Object(name, item["Size"], download(item["Key"]))


def _s3_client(path: str, source: Source) -> Any:
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    fields = login(source, "aws_access_key_id", "aws_secret_access_key")
    region, endpoint = field_of(fields, "aws_region") or source.region, None
    options: dict[str, Any] = {}
    if source.scheme == "r2":
        endpoint = f"https://{path.partition('.')[0]}.r2.cloudflarestorage.com"
        region = region or "auto"
    elif source.scheme == "cw":
        endpoint, options = "https://cwobject.com", {"s3": {"addressing_style": "virtual"}}
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    keys: dict[str, Any] = {name: field_of(fields, name) for name in names}
    session: Any = boto3.Session(**keys, region_name=region)
    if source.role:
        session = _assume_role(session, source)
    if session.get_credentials() is None:
        options["signature_version"] = UNSIGNED
    return session.client("s3", endpoint_url=endpoint, config=Config(**options))


def _assume_role(session: Any, source: Source) -> Any:
    import boto3

    role = session.client("sts").assume_role(RoleArn=source.role, RoleSessionName="trussform")
    return boto3.Session(
        role["Credentials"]["AccessKeyId"],
        role["Credentials"]["SecretAccessKey"],
        role["Credentials"]["SessionToken"],
        region_name=source.region,
    )


def _list_google(path: str, source: Source) -> Iterator[Object]:
    bucket, _, prefix = path.partition("/")
    for blob in _google_client(source).list_blobs(bucket, prefix=prefix):
        name = _below(prefix, blob.name)
        if name and not blob.name.endswith("/"):
            yield Object(name, blob.size, blob.download_to_filename)


def _google_client(source: Source) -> Any:
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import storage

    client: Any = storage.Client
    account = login(source, "private_key", "client_email")
    try:
        if account:
            account = {"type": "service_account", "token_uri": _GOOGLE_TOKENS, **account}
            return client.from_service_account_info(account)
        return client()
    except DefaultCredentialsError:
        return client.create_anonymous_client()


def _list_azure(path: str, source: Source) -> Iterator[Object]:
    from azure.storage.blob import ContainerClient

    account, container, prefix = [*path.split("/", 2), "", ""][:3]
    key = field_of(login(source, "account_key"), "account_key")
    url = f"https://{account}.blob.core.windows.net"
    client: Any = ContainerClient(url, container, credential=key)

    def download(blob: str) -> Callable[[str], object]:
        def save(file: str) -> None:
            with open(file, "wb") as out:
                client.download_blob(blob).readinto(out)

        return save

    for blob in client.list_blobs(name_starts_with=prefix, include=["metadata"]):
        name = _below(prefix, blob.name)
        # Accounts with real folders list those too, as empty blobs.
        folder = blob.name.endswith("/") or "hdi_isfolder" in (blob.metadata or {})
        if name and not folder:
            yield Object(name, blob.size, download(blob.name))


_LISTS = {
    "s3": _list_s3,
    "r2": _list_s3,
    "cw": _list_s3,
    "gs": _list_google,
    "azure": _list_azure,
}
SCHEMES = tuple(_LISTS)
