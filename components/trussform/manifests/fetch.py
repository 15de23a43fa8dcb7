"""Fetches weights onto a volume. No part of the library: the init container runs this text.

TRUSSFORM_WEIGHTS is a JSON list of what to fetch, as `plan/weights.py` decides it. A source that is
complete is not asked for again; one that was begun goes on where it stopped. The image gives Python
with huggingface_hub, and for buckets the SDK of their cloud: boto3, google-cloud-storage,
azure-storage-blob.

Pods of different users share the volume by their group: whatever is made here, the group may write.
"""

import fcntl
import hashlib
import json
import os
import re
import stat
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import unquote, urlsplit

VOLUME = Path(os.environ.get("TRUSSFORM_VOLUME", "/weights"))
SECRETS = Path(os.environ.get("TRUSSFORM_SECRETS", "/secrets"))
REPORT = 30
"""Seconds between two lines of progress."""
PARALLEL = 8
"""Files of a bucket that are fetched at a time."""
CHUNK = 1 << 22
GOOGLE_TOKENS = "https://oauth2.googleapis.com/token"
"""Every key of a service account names this; Baseten's page lets its secret leave it out."""
LEFT_OVER = re.compile(r".*(\.[0-9a-f]{8}\.incomplete|\.part\.[0-9a-fA-F]{8})")
"""Temporary files of huggingface_hub and boto3 that neither of them takes up again."""


class Refused(Exception):
    """An error whose message says everything."""


def main():
    os.umask(0o002)
    own_home()
    for wanted in everything():
        with named(wanted):
            fetch(wanted)


def everything():
    return json.loads(os.environ["TRUSSFORM_WEIGHTS"])


def own_home():
    """Gives a second user another home on the volume: caches may have files for their owner
    alone."""
    for name in ("HF_HOME", "HOME"):
        home = Path(os.environ.get(name, "/"))
        if VOLUME in home.parents and home.is_dir() and home.stat().st_uid != os.getuid():
            os.environ[name] = f"{home}-{os.getuid()}"


@contextmanager
def named(wanted):
    """Ends with one line that names the source where anything goes wrong with it."""
    about = f"error: {wanted['source']}"
    try:
        yield
    except Refused as error:
        sys.exit(f"{about}: {error}")
    except PermissionError as error:
        if os.access(VOLUME, os.W_OK):
            help = (
                f"remove {wanted['folder']} and its marks from the volume, or fetch as their owner"
            )
        else:
            help = "make the top folder of the volume writable for the pod's group, as fsGroup does"
        sys.exit(f"{about}: {type(error).__name__}: {error}; {help}")
    except Exception as error:
        sys.exit(f"{about}: {type(error).__name__}: {error}")


def fetch(wanted):
    """Fetches one source, unless it is there; to find it there needs no right to write."""
    if is_complete(wanted):
        return say(wanted, "there already")
    with locked(wanted):
        if is_complete(wanted):
            return say(wanted, "there already")
        say(wanted, "fetching")
        folder = folder_of(wanted)
        folder.mkdir(parents=True, exist_ok=True)
        begun = time.monotonic()
        with Progress(wanted, folder):
            STORES[scheme(wanted)](wanted, folder)
        share(folder)
        mark(wanted, "complete").touch()
        return say(wanted, f"complete after {time.monotonic() - begun:.0f} s")


def folder_of(wanted):
    return VOLUME / wanted["folder"]


def mark(wanted, kind):
    return VOLUME / f"{wanted['id']}.{kind}"


def is_complete(wanted):
    return mark(wanted, "complete").exists() and folder_of(wanted).is_dir()


def scheme(wanted):
    return wanted["source"].partition("://")[0]


def say(wanted, what):
    print(f"{wanted['source']}: {what}", flush=True)


@contextmanager
def locked(wanted):
    """Waits while another pod fetches the same onto a volume that both have."""
    file = mark(wanted, "lock")
    try:
        lock = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:
        if not file.exists():
            raise
        # An older version made it for its own user alone; a lock needs no more than this.
        lock = os.open(file, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


class Progress:
    """Says now and then how much there is."""

    def __init__(self, wanted, folder):
        self.wanted, self.folder, self.done = wanted, folder, threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self.report, daemon=True)
        self.thread.start()

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    def report(self):
        while not self.done.wait(REPORT):
            total = sum(blocks(path) for path in self.folder.rglob("*"))
            say(self.wanted, f"{total / 1e9:.1f} GB so far")


def blocks(path):
    """The bytes that a file takes on the disk; it may have gone since it was listed."""
    try:
        return path.lstat().st_blocks * 512
    except OSError:
        return 0


# The files of a store, and the choice of them.


def once(function):
    """Remembers the function's answer for each source."""
    answers = {}

    def answer(wanted):
        if wanted["id"] not in answers:
            answers[wanted["id"]] = function(wanted)
        return answers[wanted["id"]]

    return answer


@once
def listed(wanted):
    """All files of a source, each as its name, its size, and what fetching it needs."""
    kind = scheme(wanted)
    if kind == "hf":
        return hub_files(wanted)
    return list(BUCKETS[kind](wanted["source"].partition("://")[2], wanted))


@once
def chosen(wanted):
    """The files that the patterns choose; there is always one."""
    files = listed(wanted)
    if not files:
        raise Refused("nothing is there; correct the name in the config's `source`")
    found = [file for file in files if is_wanted(file[0], wanted)]
    if not found:
        raise Refused(nothing_fits([name for name, *_ in files], wanted))
    return found


def is_wanted(name, wanted):
    def fits(patterns):
        return any(matches(pattern, name, wanted) for pattern in patterns)

    allow, ignore = wanted["allow"], wanted["ignore"]
    return (not allow or fits(allow)) and not (ignore and fits(ignore))


def matches(pattern, name, wanted):
    """Returns true where a pattern of the config means the file.

    In `weights`, `*` ends at a `/` and `**` does not:
    https://docs.baseten.co/development/model/bdn#filter-files-with-patterns. In `model_cache`, `*`
    goes on as well: basetenlabs/truss, truss-transfer/src/create/filter.rs.
    """
    if wanted.get("any_depth"):
        return fnmatchcase(name, f"{pattern}*" if pattern.endswith("/") else pattern)
    pattern = f"{pattern}**" if pattern.endswith("/") else pattern
    return steps_match(pattern.split("/"), name.split("/"))


def steps_match(pattern, name):
    """Compares folder by folder; a `**` at the end stands for one step at least."""
    if pattern[-1] == "**":
        pattern = [*pattern, "*"]
    # How many steps of the name the pattern may have taken so far.
    ends = {0}
    for part in pattern:
        if part == "**":
            ends = set(range(min(ends), len(name) + 1))
        else:
            ends = {at + 1 for at in ends if at < len(name) and fnmatchcase(name[at], part)}
        if not ends:
            return False
    return len(name) in ends


def nothing_fits(names, wanted):
    """The message for patterns that choose no file."""
    allow, ignore = wanted["allow"], wanted["ignore"]
    given = {"allow_patterns": allow, "ignore_patterns": ignore}
    patterns = " and ".join(f"{key} {json.dumps(value)}" for key, value in given.items() if value)
    deeper = [
        pattern
        for pattern in allow or ()
        if any(matches(f"**/{pattern}", name, wanted) for name in names)
    ]
    if deeper and not wanted.get("any_depth"):
        help = f"write `**/{deeper[0]}` for files in folders"
    else:
        help = f"correct the patterns; a file's name is as in `{names[0]}`"
    return f"none of {len(names)} files fits {patterns}; {help}"


# Room for what comes.


def make_sure_of_room(coming=()):
    """Refuses, before the first byte, what the volume cannot hold.

    All sources that are not complete count. `coming` has the bytes of those that are known.
    """
    sizes = dict(coming)
    needed = 0
    for wanted in everything():
        if not is_complete(wanted):
            known = sizes.get(wanted["id"])
            needed += missing(wanted) if known is None else known
    disk = os.statvfs(VOLUME)
    free, total = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    # Some network file systems name no size.
    if total and needed > free:
        enough = -(-(total - free + needed) * 11 // 10 >> 30)
        raise Refused(
            f"the weights need {amount(needed)} more, and the volume has {amount(free)} free; "
            f"raise `weights.storage.size` of the stage to {enough}Gi, or make room on the volume"
        )


def amount(size):
    """The bytes in the unit of Kubernetes that suits them, rounded."""
    for unit in (" bytes", "Ki", "Mi", "Gi"):
        if size < 1024:
            return f"{size:.{0 if unit == ' bytes' else 1}f}{unit}"
        size /= 1024
    return f"{size:.1f}Ti"


def missing(wanted):
    """The bytes of a source that are not on the volume yet; 0 where its store does not say."""
    with named(wanted):
        if scheme(wanted) == "https":
            return max(0, web_size(wanted) - size_of(web_part(wanted)))
        folder = folder_of(wanted)
        if wanted["hub"]:
            contents = {checksum(entry): size for _, size, entry in chosen(wanted)}
            there = (folder / repository_folder(wanted)).rglob("*")
            return max(0, sum(contents.values()) - sum(map(size_of, there)))
        begun = (folder / ".cache" / "huggingface").rglob("*.incomplete")
        absent = sum(max(0, size - size_of(folder / name)) for name, size, _ in chosen(wanted))
        return max(0, absent - sum(map(size_of, begun)))


def size_of(file):
    """The size of a file itself; 0 for a link, a folder and what is not there."""
    return file.lstat().st_size if file.is_file() and not file.is_symlink() else 0


def sweep(folder, keep=()):
    """Removes what an earlier fetch left and this one cannot take up.

    Locks of old versions of huggingface_hub, and some files of new ones, are their user's alone;
    the lock on the volume is enough.
    """
    private = (folder / ".cache" / "huggingface", folder / ".locks")
    for path in list(folder.rglob("*")):
        if str(path.relative_to(folder)) in keep or not path.is_file():
            continue
        inner = any(parent in private for parent in path.parents)
        closed = not os.access(path, os.R_OK | os.W_OK if inner else os.R_OK)
        if closed or LEFT_OVER.fullmatch(path.name) or (inner and path.suffix == ".lock"):
            path.unlink()


def share(folder):
    """Opens, to the group, what a library has made for its user alone."""
    for path in [folder, *folder.rglob("*")]:
        about = path.lstat()
        mode = about.st_mode | (0o775 if path.is_dir() else 0o664)
        if not path.is_symlink() and about.st_uid == os.getuid() and mode != about.st_mode:
            # Some file systems have modes that nobody can change.
            with suppress(OSError):
                path.chmod(stat.S_IMODE(mode))


# Secrets.


def secret(wanted):
    """The text of the secret that goes with a source, or None."""
    file = SECRETS / (wanted["secret"] or "-")
    return (file.read_text().strip() or None) if file.is_file() else None


def login(wanted, *needed):
    """The fields of a secret that is a JSON object; none where the source has no secret.

    Baseten's page and truss-transfer-cli spell the fields of AWS in two ways; the names here are
    the page's. https://docs.baseten.co/development/model/bdn#source-types-and-authentication
    """
    name, text = wanted["secret"], secret(wanted)
    if text is None:
        if (SECRETS / (name or "-")).is_file():
            raise Refused(f"the secret {name} is empty; write JSON with {', '.join(needed)}")
        return {}
    try:
        fields, fault = json.loads(text), ""
    except ValueError as error:
        fields, fault = None, f": {error}"
    if not isinstance(fields, dict):
        needs = ", ".join(needed)
        raise Refused(f"the secret {name} is not a JSON object{fault}; write one with {needs}")
    # Without them nobody would sign the request, or the pod's own identity would.
    absent = [field for field in needed if not of(fields, field)]
    if absent:
        raise Refused(f"the secret {name} has no {', '.join(absent)}; add what is missing, as text")
    for field in ("aws_region", "aws_session_token", "region", "session_token"):
        if not isinstance(fields.get(field), (str, type(None))):
            raise Refused(f"{field} of the secret {name} is not text; write it in quotes")
    return fields


def of(fields, name):
    """The text of a field, by Baseten's name or by that of truss-transfer-cli."""
    found = (fields.get(spelling) for spelling in (name, name.removeprefix("aws_")))
    return next((text.strip() for text in found if isinstance(text, str) and text.strip()), None)


# Hugging Face.


def repository(wanted):
    """The name of the repository, and the revision that the config names."""
    name, _, revision = wanted["source"].removeprefix("hf://").partition("@")
    return name, revision or "main"


def repository_folder(wanted):
    return f"models--{repository(wanted)[0].replace('/', '--')}"


@once
def commit(wanted):
    """The commit of the revision now: a branch may move while its files come."""
    from huggingface_hub import HfApi

    name, revision = repository(wanted)
    return HfApi(token=secret(wanted)).model_info(name, revision=revision).sha


def hub_files(wanted):
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    api, (name, _) = HfApi(token=secret(wanted)), repository(wanted)
    tree = api.list_repo_tree(name, revision=commit(wanted), recursive=True)
    # Some mirrors tell no sizes.
    return [(entry.path, entry.size or 0, entry) for entry in tree if isinstance(entry, RepoFile)]


def hugging_face(wanted, folder):
    from huggingface_hub import snapshot_download

    (repo, revision), files = repository(wanted), chosen(wanted)
    sweep(folder, {name for name, *_ in files})
    make_sure_of_room()
    # Patterns mean something else to the library: it gets names, escaped.
    names = [re.sub(r"([*?[])", r"[\1]", name) for name, *_ in files]
    if len(files) == len(listed(wanted)):
        names = None
    fetched = Path(
        snapshot_download(
            repo,
            revision=commit(wanted),
            token=secret(wanted),
            allow_patterns=names,
            **{"cache_dir" if wanted["hub"] else "local_dir": folder},
        )
    )
    remove_damaged(fetched, files)
    if wanted["hub"]:
        # The server looks the branch up by its name.
        ref = folder / repository_folder(wanted) / "refs" / revision
        if revision != commit(wanted):
            ref.parent.mkdir(parents=True, exist_ok=True)
            ref.write_text(commit(wanted))


def remove_damaged(fetched, files):
    """Raises where files differ from the hub's checksums, once they are gone. The hub's library has
    this too, but not in the version of KServe's image."""

    def damaged(file):
        name, _, entry = file
        return None if is_of_the_hub(fetched / name, entry) else fetched / name

    with ThreadPoolExecutor(PARALLEL) as pool:
        bad = [file for file in pool.map(damaged, files) if file]
    for file in bad:
        # Two files of the same content are one in the hub's own cache.
        file.resolve().unlink(missing_ok=True)
        file.unlink(missing_ok=True)
    if bad:
        names = ", ".join(str(file.relative_to(fetched)) for file in bad)
        raise OSError(f"not what the hub has, and so removed: {names}")


def is_of_the_hub(file, entry):
    """Large files go by their SHA-256, the others by the name that git gives their content."""
    if not file.is_file():
        return False
    found = hashlib.sha256() if entry.lfs else hashlib.sha1(b"blob %d\0" % file.stat().st_size)
    with open(file, "rb") as content:
        while chunk := content.read(CHUNK):
            found.update(chunk)
    return found.hexdigest() == checksum(entry)


def checksum(entry):
    return entry.lfs.sha256 if entry.lfs else entry.blob_id


# Buckets.


def bucket(wanted, folder):
    files = chosen(wanted)
    sweep(folder, {name for name, *_ in files})
    make_sure_of_room()
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(lambda file: whole(folder, *file), files))


def whole(folder, name, size, download):
    """One file, whole or not there: it gets its name when it has its size."""
    file = folder / name
    if folder.resolve() not in file.resolve().parents:
        raise ValueError(f"the name {name} leaves the folder")
    if file.is_file() and file.stat().st_size == size:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)
    download(str(part))
    if part.stat().st_size != size:
        raise OSError(f"{name} has {part.stat().st_size} bytes and should have {size}")
    part.rename(file)


def below(prefix, name):
    """The name of an object below the prefix; None for another one that merely begins alike."""
    prefix = prefix.strip("/")
    if not prefix or name == prefix:
        return name.rpartition("/")[2] if prefix else name
    return name.removeprefix(f"{prefix}/") if name.startswith(f"{prefix}/") else None


def s3(path, wanted):
    name, _, prefix = path.partition("/")
    if scheme(wanted) == "r2":
        name = name.partition(".")[2]
    client = s3_client(path, wanted)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=name, Prefix=prefix)
    for item in (item for page in pages for item in page.get("Contents", ())):
        key, size = item["Key"], item["Size"]
        inside = below(prefix, key)
        if inside and not key.endswith("/"):
            yield inside, size, lambda file, key=key: client.download_file(name, key, file)


def s3_client(path, wanted):
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    fields = login(wanted, "aws_access_key_id", "aws_secret_access_key")
    region, endpoint, how = of(fields, "aws_region") or wanted["region"], None, {}
    if scheme(wanted) == "r2":
        endpoint = f"https://{path.partition('.')[0]}.r2.cloudflarestorage.com"
        region = region or "auto"
    elif scheme(wanted) == "cw":
        endpoint, how = "https://cwobject.com", {"s3": {"addressing_style": "virtual"}}
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    session = boto3.Session(**{name: of(fields, name) for name in names}, region_name=region)
    if wanted["role"]:
        session = assumed(session, wanted)
    if session.get_credentials() is None:
        how["signature_version"] = UNSIGNED
    return session.client("s3", endpoint_url=endpoint, config=Config(**how))


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
    account = login(wanted, "private_key", "client_email")
    try:
        if account:
            account = {"type": "service_account", "token_uri": GOOGLE_TOKENS, **account}
            made = storage.Client.from_service_account_info(account)
        else:
            made = storage.Client()
    except DefaultCredentialsError:
        made = storage.Client.create_anonymous_client()
    for blob in made.list_blobs(name, prefix=prefix):
        inside = below(prefix, blob.name)
        if inside and not blob.name.endswith("/"):
            yield inside, blob.size, blob.download_to_filename


def azure(path, wanted):
    from azure.storage.blob import ContainerClient

    account, container, prefix = [*path.split("/", 2), "", ""][:3]
    key = of(login(wanted, "account_key"), "account_key")
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


# One file of the web.


def web(wanted, folder):
    """One file, from where an earlier attempt stopped if the server can do that."""
    name, part = web_name(wanted), web_part(wanted)
    version_file = folder / f"{name}.version"
    if not is_wanted(name, wanted):
        raise Refused(nothing_fits([name], wanted))
    for begun in (part, version_file):
        # Of another user, by an older version.
        if begun.exists() and not os.access(begun, os.W_OK):
            begun.unlink()
    version = version_file.read_text() if version_file.exists() else ""
    have = size_of(part) if version else 0
    # A file that has changed since then comes whole.
    rest = {"Range": f"bytes={have}-", "If-Range": version} if have else {}
    with web_answer(wanted, rest) as answer:
        if answer.status_code == 416:
            # There is no rest to ask for, so one cannot tell whether the part is whole.
            part.unlink(missing_ok=True)
        answer.raise_for_status()
        goes_on = answer.status_code == 206
        comes = int(answer.headers.get("Content-Length") or 0)
        make_sure_of_room({wanted["id"]: comes if goes_on else comes - size_of(part)})
        with open(part, "ab" if goes_on else "wb") as out:
            version_file.write_text(version if goes_on else version_of(answer))
            for chunk in answer.iter_content(CHUNK):
                out.write(chunk)
    part.rename(folder / name)
    version_file.unlink()


def web_name(wanted):
    return unquote(urlsplit(wanted["source"]).path).rpartition("/")[2] or "index"


def web_part(wanted):
    return folder_of(wanted) / f"{web_name(wanted)}.part"


def web_answer(wanted, headers):
    import requests

    headers = {"Accept-Encoding": "identity", **headers}
    token = secret(wanted)
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return requests.get(wanted["source"], headers=headers, stream=True, timeout=60)


def web_size(wanted):
    """The size of the file, from an answer with one byte of it; 0 where the server does not say."""
    with web_answer(wanted, {"Range": "bytes=0-0"}) as answer:
        size = answer.headers.get("Content-Range", answer.headers.get("Content-Length", ""))
        size = size.rpartition("/")[2]
        return int(size) if answer.ok and size.isdigit() else 0


def version_of(answer):
    """What tells a file from an older or newer one, or nothing; a weak ETag does not."""
    etag = answer.headers.get("ETag", "W/")
    return answer.headers.get("Last-Modified", "") if etag.startswith("W/") else etag


BUCKETS = {"s3": s3, "r2": s3, "cw": s3, "gs": google, "azure": azure}
STORES = {"hf": hugging_face, "https": web, **dict.fromkeys(BUCKETS, bucket)}

if __name__ == "__main__":
    main()
