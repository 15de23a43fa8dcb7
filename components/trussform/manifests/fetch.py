"""Fetches weights onto a volume. No part of the library: the init container runs this text.

TRUSSFORM_WEIGHTS is a JSON list of what to fetch, as `plan/weights.py` decides it. What is there
whole is not asked for again; what was begun goes on where it stopped. The image gives Python with
huggingface_hub, and for buckets the SDK of their cloud: boto3, google-cloud-storage,
azure-storage-blob.
"""

import fcntl
import hashlib
import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlsplit

VOLUME = Path(os.environ.get("TRUSSFORM_VOLUME", "/weights"))
SECRETS = Path(os.environ.get("TRUSSFORM_SECRETS", "/secrets"))
REPORT = 30
"""Seconds between two lines of progress."""
PARALLEL = 8
"""Files of a bucket that are fetched at a time."""
CHUNK = 1 << 22


def main():
    for wanted in json.loads(os.environ["TRUSSFORM_WEIGHTS"]):
        try:
            fetch(wanted)
        except Exception as error:
            sys.exit(f"error: {wanted['source']}: {type(error).__name__}: {error}")


def fetch(wanted):
    folder = VOLUME / wanted["folder"]
    folder.mkdir(parents=True, exist_ok=True)
    complete = VOLUME / f"{wanted['id']}.complete"
    with open(VOLUME / f"{wanted['id']}.lock", "w") as lock:
        # Another pod may be fetching the same onto a volume that both have.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if complete.exists():
            print(f"{wanted['source']}: there already", flush=True)
            return
        print(f"{wanted['source']}: fetching", flush=True)
        begun = time.monotonic()
        with Progress(wanted["source"], folder):
            STORES[wanted["source"].partition("://")[0]](wanted, folder)
        complete.touch()
        print(f"{wanted['source']}: complete after {time.monotonic() - begun:.0f} s", flush=True)


class Progress:
    """Says now and then how much there is."""

    def __init__(self, source, folder):
        self.source, self.folder, self.done = source, folder, threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self.report, daemon=True)
        self.thread.start()

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    def report(self):
        while not self.done.wait(REPORT):
            total = sum(blocks(path) for path in self.folder.rglob("*"))
            print(f"{self.source}: {total / 1e9:.1f} GB so far", flush=True)


def blocks(path):
    """The bytes that a file takes on the disk; it may have gone since it was listed."""
    try:
        return path.lstat().st_blocks * 512
    except OSError:
        return 0


def secret(wanted):
    """The text of the secret that goes with a source, or None."""
    file = SECRETS / (wanted["secret"] or "-")
    return (file.read_text().strip() or None) if file.is_file() else None


def login(wanted, *needed):
    """The fields of a secret that is JSON, as Truss writes them; none where there is no secret."""
    text = secret(wanted)
    if text is None:
        return {}
    try:
        fields = json.loads(text)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        raise ValueError(f"the secret {wanted['secret']} is no JSON object")
    # Without them the store would be asked by nobody, or by the pod's own identity.
    missing = [name for name in needed if not fields.get(name)]
    if missing:
        raise ValueError(f"the secret {wanted['secret']} has no {', '.join(missing)}")
    return fields


def hugging_face(wanted, folder):
    from huggingface_hub import HfApi, snapshot_download

    repo, _, written = wanted["source"].removeprefix("hf://").partition("@")
    token, written = secret(wanted), written or "main"
    # A branch may move while its files come.
    commit = HfApi(token=token).model_info(repo, revision=written).sha
    patterns = {"allow_patterns": wanted["allow"], "ignore_patterns": wanted["ignore"]}
    if wanted["hub"]:
        # The cache keeps the branch's name, by which the server looks it up.
        fetched = snapshot_download(
            repo, revision=written, token=token, cache_dir=folder, **patterns
        )
        commit = Path(fetched).name
    else:
        fetched = snapshot_download(
            repo, revision=commit, token=token, local_dir=folder, **patterns
        )
    bad = damaged(Path(fetched), repo, commit, token)
    for file in bad:
        # Two files of the same content are one in the hub's own cache.
        file.resolve().unlink(missing_ok=True)
        file.unlink(missing_ok=True)
    if bad:
        names = ", ".join(str(file.relative_to(fetched)) for file in bad)
        raise OSError(f"not what the hub has, and so removed: {names}")


def damaged(fetched, repo, revision, token):
    """The files that differ from the hub's checksums. Its library has this too, but not in the
    version of KServe's image."""
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    tree = HfApi(token=token).list_repo_tree(repo, revision=revision, recursive=True)
    there = [
        (fetched / entry.path, entry)
        for entry in tree
        if isinstance(entry, RepoFile) and (fetched / entry.path).is_file()
    ]
    with ThreadPoolExecutor(PARALLEL) as pool:
        checked = pool.map(lambda pair: (pair[0], is_of_the_hub(*pair)), there)
        return [file for file, good in checked if not good]


def is_of_the_hub(file, entry):
    """Large files go by their SHA-256, the others by the name that git gives their content."""
    found = hashlib.sha256() if entry.lfs else hashlib.sha1(b"blob %d\0" % file.stat().st_size)
    with open(file, "rb") as content:
        while chunk := content.read(CHUNK):
            found.update(chunk)
    return found.hexdigest() == (entry.lfs.sha256 if entry.lfs else entry.blob_id)


def bucket(wanted, folder):
    from huggingface_hub.utils import filter_repo_objects

    scheme, _, path = wanted["source"].partition("://")
    objects = filter_repo_objects(
        BUCKETS[scheme](path, wanted),
        allow_patterns=wanted["allow"],
        ignore_patterns=wanted["ignore"],
        key=lambda found: found[0],
    )
    with ThreadPoolExecutor(PARALLEL) as pool:
        names = list(pool.map(lambda found: whole(folder, *found), objects))
    if not names:
        raise FileNotFoundError("nothing is there, or no name fits the patterns")


def whole(folder, name, size, download):
    """One file, whole or not there: it gets its name when it has its size."""
    file = folder / name
    if folder.resolve() not in file.resolve().parents:
        raise ValueError(f"the name {name} leaves the folder")
    if file.is_file() and file.stat().st_size == size:
        return name
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.part")
    download(str(part))
    if part.stat().st_size != size:
        raise OSError(f"{name} has {part.stat().st_size} bytes and should have {size}")
    part.rename(file)
    return name


def below(prefix, name):
    """The name of an object below the prefix; None for another one that merely begins alike."""
    prefix = prefix.strip("/")
    if not prefix or name == prefix:
        return name.rpartition("/")[2] if prefix else name
    return name.removeprefix(f"{prefix}/") if name.startswith(f"{prefix}/") else None


def s3(path, wanted):
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    name, _, prefix = path.partition("/")
    fields = login(wanted, "access_key_id", "secret_access_key")
    region, endpoint, how = fields.get("region") or wanted["region"], None, {}
    if wanted["source"].startswith("r2://"):
        account, _, name = name.partition(".")
        endpoint = f"https://{account}.r2.cloudflarestorage.com"
        region = region or "auto"
    elif wanted["source"].startswith("cw://"):
        endpoint, how = "https://cwobject.com", {"s3": {"addressing_style": "virtual"}}
    keys = {
        "aws_access_key_id": fields.get("access_key_id"),
        "aws_secret_access_key": fields.get("secret_access_key"),
        "aws_session_token": fields.get("session_token"),
        "region_name": region,
    }
    session = boto3.Session(**keys)
    if wanted["role"]:
        session = assumed(session, wanted)
    if session.get_credentials() is None:
        how["signature_version"] = UNSIGNED
    client = session.client("s3", endpoint_url=endpoint, config=Config(**how))
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=name, Prefix=prefix)
    for item in (item for page in pages for item in page.get("Contents", ())):
        key, size = item["Key"], item["Size"]
        inside = below(prefix, key)
        if inside and not key.endswith("/"):
            yield inside, size, lambda file, key=key: client.download_file(name, key, file)


def assumed(session, wanted):
    import boto3

    made = session.client("sts").assume_role(RoleArn=wanted["role"], RoleSessionName="trussform")
    return boto3.Session(
        made["Credentials"]["AccessKeyId"],
        made["Credentials"]["SecretAccessKey"],
        made["Credentials"]["SessionToken"],
        region_name=wanted["region"],
    )


def google(path, wanted):
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import storage

    name, _, prefix = path.partition("/")
    account = login(wanted)
    try:
        made = storage.Client.from_service_account_info(account) if account else storage.Client()
    except DefaultCredentialsError:
        made = storage.Client.create_anonymous_client()
    for blob in made.list_blobs(name, prefix=prefix):
        inside = below(prefix, blob.name)
        if inside and not blob.name.endswith("/"):
            yield inside, blob.size, blob.download_to_filename


def azure(path, wanted):
    from azure.storage.blob import ContainerClient

    account, container, prefix = [*path.split("/", 2), "", ""][:3]
    key = login(wanted, "account_key").get("account_key")
    url = f"https://{account}.blob.core.windows.net"
    made = ContainerClient(url, container, credential=key)

    def save(name, file):
        with open(file, "wb") as out:
            made.download_blob(name).readinto(out)

    for blob in made.list_blobs(name_starts_with=prefix, include=["metadata"]):
        inside = below(prefix, blob.name)
        # Accounts with real folders list those too, as empty blobs.
        folder = blob.name.endswith("/") or "hdi_isfolder" in (blob.metadata or {})
        if inside and not folder:
            yield inside, blob.size, lambda file, name=blob.name: save(name, file)


def web(wanted, folder):
    """One file, from where an earlier attempt stopped if the server can do that."""
    import requests

    name = unquote(urlsplit(wanted["source"]).path).rpartition("/")[2] or "index"
    part, mark = folder / f"{name}.part", folder / f"{name}.version"
    version = mark.read_text() if mark.exists() else ""
    have = part.stat().st_size if version and part.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if have:
        # Where the file is another one by now, all of it comes.
        headers |= {"Range": f"bytes={have}-", "If-Range": version}
    token = secret(wanted)
    if token:
        headers["Authorization"] = f"Bearer {token}"
    with requests.get(wanted["source"], headers=headers, stream=True, timeout=60) as answer:
        if answer.status_code == 416:
            # There is no rest to ask for, so one cannot tell whether the part is whole.
            part.unlink(missing_ok=True)
        answer.raise_for_status()
        rest = answer.status_code == 206
        with open(part, "ab" if rest else "wb") as out:
            mark.write_text(version if rest else version_of(answer))
            for chunk in answer.iter_content(CHUNK):
                out.write(chunk)
    part.rename(folder / name)
    mark.unlink()


def version_of(answer):
    """What tells a file from an older or newer one, or nothing; a weak ETag does not."""
    etag = answer.headers.get("ETag", "W/")
    return answer.headers.get("Last-Modified", "") if etag.startswith("W/") else etag


BUCKETS = {"s3": s3, "r2": s3, "cw": s3, "gs": google, "azure": azure}
STORES = {"hf": hugging_face, "https": web, **dict.fromkeys(BUCKETS, bucket)}

if __name__ == "__main__":
    main()
