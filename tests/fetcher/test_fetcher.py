"""The fetcher itself, against stores on this machine."""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from support.stores import COMMIT, Stores, certificate
from trussform import fetcher
from trussform.fetcher import choice, hub, volume
from trussform.fetcher.source import Source

PROGRAM = Path(fetcher.__file__).parent
MODEL = {"config.json": b"{}", "model.safetensors": b"weights" * 1000, "sub/more.bin": b"more"}
BUCKETS = {
    "s3": "s3://bucket",
    "r2": "r2://account.bucket",
    "cw": "cw://bucket",
    "gs": "gs://bucket",
    "azure": "azure://account/bucket",
}
WHERE = {
    "s3": "/s3/bucket",
    "r2": "https://account.r2.cloudflarestorage.com/bucket",
    "cw": "https://bucket.cwobject.com",
    "azure": "https://account.blob.core.windows.net/bucket",
}
"""The requests to the store."""
LIKE_S3 = ("s3", "r2", "cw")
KEYS = {"aws_access_key_id": "a-key", "aws_secret_access_key": "a-secret"}
OF_TRUSS_TRANSFER = {"access_key_id": "a-key", "secret_access_key": "a-secret"}


def account_key(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture(scope="session")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("hosts"))


@pytest.fixture
def stores(pem: Path) -> Iterator[Stores]:
    made = Stores(certificate=pem)
    yield made
    made.close()


def wanted(source: str) -> dict[str, Any]:
    return {"id": "a.1", "source": source, "folder": "a", "hub": False, "secret": None,
            "role": None, "region": None, "allow": None, "ignore": None}  # fmt: skip


def mounted(folder: Path) -> Path:
    """Writes the program into a folder as the kubelet mounts a ConfigMap: with links."""
    data = folder / "fetcher" / "..data"
    if not data.is_dir():
        data.mkdir(parents=True)
        for file in PROGRAM.glob("*.py"):
            (data / file.name).write_text(file.read_text())
            (data.parent / file.name).symlink_to(f"..data/{file.name}")
    return folder


class Pod:
    """A volume and a folder of secrets, and the script that runs with them."""

    def __init__(self, folder: Path, stores: Stores, pem: Path) -> None:
        self.volume, self.secrets = folder / "weights", folder / "secrets"
        self.volume.mkdir()
        self.secrets.mkdir()
        self.stores, self.pem = stores, pem

    def fetch(self, source: str, **changes: Any) -> subprocess.CompletedProcess[str]:
        return self.run({**wanted(source), **changes})

    def run(self, *sources: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        url = self.stores.url
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.volume),
            "HF_HOME": f"{self.volume}/.huggingface",
            "HF_ENDPOINT": url,
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "AWS_ENDPOINT_URL_S3": f"{url}/s3",
            "AWS_EC2_METADATA_DISABLED": "true",
            "STORAGE_EMULATOR_HOST": url,
            "HTTPS_PROXY": url,
            "AWS_CA_BUNDLE": str(self.pem),
            "REQUESTS_CA_BUNDLE": str(self.pem),
            "TRUSSFORM_VOLUME": str(self.volume),
            "TRUSSFORM_SECRETS": str(self.secrets),
            "TRUSSFORM_WEIGHTS": json.dumps(sources),
        }
        return subprocess.run(
            [sys.executable, "-m", "fetcher"],
            cwd=mounted(self.volume.with_name("program")),
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def secret(self, name: str, value: Any) -> None:
        text = value if isinstance(value, str) else json.dumps(value)
        (self.secrets / name).write_text(text)

    def files(self, folder: str = "a") -> dict[str, bytes]:
        root = self.volume / folder
        return {
            str(file.relative_to(root)): file.read_bytes()
            for file in root.rglob("*")
            if file.is_file() and ".cache" not in file.parts
        }


@pytest.fixture
def pod(tmp_path: Path, stores: Stores, pem: Path) -> Pod:
    return Pod(tmp_path, stores, pem)


def test_a_repository_is_fetched_once_and_then_found_without_asking(
    pod: Pod, stores: Stores
) -> None:
    stores.repositories["owner/model"] = MODEL
    first = pod.fetch("hf://owner/model@main")
    assert first.returncode == 0, first.stderr
    assert pod.files() == MODEL
    stores.asked.clear()
    second = pod.fetch("hf://owner/model@main")
    assert (second.returncode, stores.asked) == (0, [])
    assert "hf://owner/model@main: already complete" in second.stdout


NONE: set[str] = set()
NAMES = ("a.json", "b.txt", "one/a.json", "one/two/a.json", "one/b.txt", ".hidden.json")


@pytest.mark.parametrize(
    ("pattern", "of_weights", "of_model_cache"),
    [
        ("*.json", {"a.json", ".hidden.json"},
         {"a.json", "one/a.json", "one/two/a.json", ".hidden.json"}),
        ("**/*.json", {"a.json", "one/a.json", "one/two/a.json", ".hidden.json"},
         {"one/a.json", "one/two/a.json"}),
        ("one/*", {"one/a.json", "one/b.txt"}, {"one/a.json", "one/two/a.json", "one/b.txt"}),
        ("one/", {"one/a.json", "one/two/a.json", "one/b.txt"},
         {"one/a.json", "one/two/a.json", "one/b.txt"}),
        ("one/**", {"one/a.json", "one/two/a.json", "one/b.txt"},
         {"one/a.json", "one/two/a.json", "one/b.txt"}),
        ("one/**/*.json", {"one/a.json", "one/two/a.json"}, {"one/two/a.json"}),
        ("*/", {"one/a.json", "one/two/a.json", "one/b.txt"},
         {"one/a.json", "one/two/a.json", "one/b.txt"}),
        ("a.json/", NONE, NONE),
        ("a.json/**", NONE, NONE),
        ("one/two/a.json/**", NONE, NONE),
        ("**/one/**", {"one/a.json", "one/two/a.json", "one/b.txt"}, NONE),
        ("*/*.json", {"one/a.json"}, {"one/a.json", "one/two/a.json"}),
        ("**", set(NAMES), set(NAMES)),
        ("[ab].*", {"a.json", "b.txt"}, {"a.json", "b.txt"}),
        ("?.json", {"a.json"}, {"a.json"}),
        ("a.json", {"a.json"}, {"a.json"}),
        ("A.json", NONE, NONE),
    ],
)  # fmt: skip
def test_a_pattern_chooses_what_it_does_on_baseten(
    pattern: str, of_weights: set[str], of_model_cache: set[str]
) -> None:
    def chosen(**given: Any) -> set[str]:
        return {name for name in NAMES if choice.is_chosen(name, Source("a", "s", "f", **given))}

    assert chosen(allow=[pattern]) == of_weights
    assert chosen(allow=[pattern], any_depth=True) == of_model_cache
    assert chosen(allow=None, ignore=[pattern]) == set(NAMES) - of_weights


def test_many_double_stars_are_compared_at_once() -> None:
    pattern, name = "**/" * 40 + "b", "a/" * 40 + "a"
    assert not choice.is_chosen(name, Source("a", "s", "f", allow=(pattern,)))


DEEP = {
    "model.safetensors": b"1", "part[1]/model.safetensors": b"2", "part1/model.safetensors": b"3",
    "part[1]/one*.json": b"4", "oneX.json": b"5", "tokenizer/merges.txt": b"6", "notes.txt": b"7",
    "one*.json": b"8",
}  # fmt: skip


@pytest.mark.parametrize("hub", [False, True], ids=["a folder", "a cache"])
def test_exactly_the_chosen_files_come_from_the_hub(pod: Pod, stores: Stores, hub: bool) -> None:
    stores.repositories["owner/model"] = DEEP
    given = {"allow": ["**/*.safetensors", "one[*].json"], "ignore": ["part1/*"]}
    fetched = pod.fetch("hf://owner/model", hub=hub, **given)
    assert fetched.returncode == 0, fetched.stderr
    below = f"a/models--owner--model/snapshots/{COMMIT}" if hub else "a"
    names = {"model.safetensors", "part[1]/model.safetensors", "one*.json"}
    assert pod.files(below) == {name: DEEP[name] for name in names}


def test_a_pattern_without_folders_drops_no_file_in_a_folder(pod: Pod, stores: Stores) -> None:
    stores.repositories["owner/model"] = stores.buckets["bucket"] = DEEP
    for source, at in (("hf://owner/model", "h"), ("s3://bucket", "b")):
        fetched = pod.fetch(source, id=at, folder=at, ignore=["*.txt"])
        assert fetched.returncode == 0, fetched.stderr
        assert pod.files(at).keys() == DEEP.keys() - {"notes.txt"}


LAYOUTS = [
    ("hf://owner/model", True),
    *((s, False) for s in ("hf://owner/model", *BUCKETS.values())),
]
"""Sources of many files, and whether their folder is laid out as Hugging Face's cache."""


@pytest.mark.parametrize(("source", "hub"), LAYOUTS)
def test_patterns_that_choose_no_file_are_an_error(
    pod: Pod, stores: Stores, source: str, hub: bool
) -> None:
    stores.repositories["owner/model"] = stores.buckets["bucket"] = {"sub/a.bin": b"a", "b": b"b"}
    nothing = pod.fetch(source, allow=["*.bin"], hub=hub)
    assert nothing.returncode == 1
    assert nothing.stderr == (
        f'error: {source}: none of 2 files matches allow_patterns ["*.bin"]; '
        "write `**/*.bin` for files in folders\n"
    )
    assert not list(pod.volume.glob("*.complete"))
    assert pod.fetch(source, ignore=["**"], hub=hub).returncode == 1
    assert not list(pod.volume.glob("*.complete"))


def test_a_pattern_that_leaves_out_the_one_file_of_the_web_is_an_error(
    pod: Pod, stores: Stores
) -> None:
    stores.files["model.bin"] = b"model"
    nothing = pod.fetch("https://weights.example/model.bin", allow=["*.safetensors"])
    assert (nothing.returncode, stores.asked) == (1, [])
    assert "none of 1 files matches" in nothing.stderr


def test_the_token_is_the_servers_own_secret(pod: Pod, stores: Stores) -> None:
    stores.repositories["owner/model"] = MODEL
    stores.token = "a-token"
    refused = pod.fetch("hf://owner/model", secret="hf_access_token")
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: hf://owner/model: GatedRepoError: ")
    assert "Traceback" not in refused.stderr
    pod.secret("hf_access_token", "a-token\n")
    assert pod.fetch("hf://owner/model", secret="hf_access_token").returncode == 0
    assert pod.files() == MODEL


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"], ids=["large", "small"])
@pytest.mark.parametrize("hub", [False, True], ids=["a folder", "a cache"])
def test_what_differs_from_the_hub_is_removed_and_fetched_again(
    pod: Pod, stores: Stores, name: str, hub: bool
) -> None:
    stores.repositories["owner/model"] = MODEL
    stores.damaged = {name}
    damaged = pod.fetch("hf://owner/model", hub=hub)
    assert damaged.returncode == 1
    assert f"these files differ from the hub's, and were removed: {name}" in damaged.stderr
    again = pod.fetch("hf://owner/model", hub=hub)
    assert again.returncode == 0, again.stderr
    assert stores.asked.count(f"GET /owner/model/resolve/{COMMIT}/{name}") == 2
    below = f"a/models--owner--model/snapshots/{COMMIT}" if hub else "a"
    assert pod.files(below) == MODEL


@pytest.mark.parametrize("hub", [False, True], ids=["a folder", "a cache"])
def test_a_branch_that_moves_meanwhile_is_no_damage(pod: Pod, stores: Stores, hub: bool) -> None:
    stores.repositories["owner/model"] = MODEL
    stores.moved["owner/model"] = dict.fromkeys(MODEL, b"newer")
    fetched = pod.fetch("hf://owner/model@main", hub=hub)
    assert fetched.returncode == 0, fetched.stderr


def test_a_model_cache_without_volume_is_laid_out_as_hugging_faces_cache(
    pod: Pod, stores: Stores
) -> None:
    import huggingface_hub

    library: Any = huggingface_hub
    stores.repositories["owner/model"] = MODEL
    assert pod.fetch("hf://owner/model@main", hub=True).returncode == 0
    found = Path(
        library.snapshot_download("owner/model", cache_dir=pod.volume / "a", local_files_only=True)
    )
    assert (found / "model.safetensors").read_bytes() == MODEL["model.safetensors"]


@pytest.mark.parametrize("store", BUCKETS)
def test_a_bucket_gives_what_is_below_the_prefix(pod: Pod, stores: Stores, store: str) -> None:
    below = {"config.json": b"{}", "empty": b"", "one #1/more.bin": b"more", "z": b"last"}
    stores.buckets["bucket"] = {
        **{f"models/a/{name}": data for name, data in below.items()},
        "models/a/": b"",
        "models/another": b"no",
    }
    fetched = pod.fetch(f"{BUCKETS[store]}/models/a")
    assert fetched.returncode == 0, fetched.stderr
    assert pod.files() == below


@pytest.mark.parametrize("store", BUCKETS)
def test_patterns_choose_from_a_whole_bucket(pod: Pod, stores: Stores, store: str) -> None:
    stores.buckets["bucket"] = MODEL
    fetched = pod.fetch(BUCKETS[store], allow=["*.json", "sub/*"], ignore=["config.*"])
    assert fetched.returncode == 0, fetched.stderr
    assert pod.files() == {"sub/more.bin": b"more"}


@pytest.mark.parametrize("store", WHERE)
def test_the_store_is_asked_at_its_own_host(pod: Pod, stores: Stores, store: str) -> None:
    stores.buckets["bucket"] = {"a": b"a"}
    assert pod.fetch(BUCKETS[store]).returncode == 0
    root = "/" if store == "cw" else ""
    assert stores.asked[0] == f"GET {WHERE[store]}{root}"
    assert f"GET {WHERE[store]}/a" in stores.asked


@pytest.mark.parametrize("store", LIKE_S3)
def test_the_keys_of_the_secret_sign_what_is_asked(pod: Pod, stores: Stores, store: str) -> None:
    stores.buckets["bucket"] = MODEL
    stores.access_key = ("a-key", "a-secret")
    pod.secret("keys", {**KEYS, "aws_secret_access_key": "another"})
    for secret in (None, "keys"):
        refused = pod.fetch(BUCKETS[store], secret=secret)
        assert refused.returncode == 1
        assert refused.stderr.startswith(f"error: {BUCKETS[store]}: ClientError: ")
        assert "SignatureDoesNotMatch" in refused.stderr
        assert "Traceback" not in refused.stderr
    for keys in (KEYS, OF_TRUSS_TRANSFER):
        pod.secret("keys", keys)
        fetched = pod.fetch(BUCKETS[store], secret="keys")
        assert fetched.returncode == 0, fetched.stderr
        assert pod.files() == MODEL
        shutil.rmtree(pod.volume / "a")


@pytest.mark.parametrize("name", ["aws_session_token", "session_token"])
def test_temporary_keys_have_a_token(pod: Pod, stores: Stores, name: str) -> None:
    stores.buckets["bucket"] = MODEL
    stores.access_key = ("a-key", "a-secret")
    pod.secret("keys", {**KEYS, name: "for-an-hour"})
    fetched = pod.fetch("s3://bucket", secret="keys")
    assert fetched.returncode == 0, fetched.stderr
    assert stores.session_tokens == {"for-an-hour"}


def test_a_service_account_needs_no_more_than_its_key_and_its_name(
    pod: Pod, stores: Stores
) -> None:
    stores.buckets["bucket"] = MODEL
    stores.google_token = "for-an-hour"
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    pod.secret("account", {"private_key": key.decode(), "client_email": "a@example.com"})
    fetched = pod.fetch("gs://bucket", secret="account")
    assert fetched.returncode == 0, fetched.stderr
    assert pod.files() == MODEL


@pytest.mark.parametrize(
    ("store", "field", "region", "signed"),
    [
        ("s3", "aws_region", None, "us-east-1"),
        ("r2", "aws_region", None, "auto"),
        ("cw", "aws_region", None, "us-east-1"),
        *((store, "aws_region", "eu-west-2", "eu-west-2") for store in LIKE_S3),
        *((store, "region", "eu-west-2", "eu-west-2") for store in LIKE_S3),
    ],
)
def test_the_region_is_that_of_the_secret(
    pod: Pod, stores: Stores, store: str, field: str, region: str | None, signed: str
) -> None:
    stores.buckets["bucket"] = MODEL
    stores.access_key = ("a-key", "a-secret")
    pod.secret("keys", {**KEYS, field: region})
    fetched = pod.fetch(BUCKETS[store], secret="keys")
    assert fetched.returncode == 0, fetched.stderr
    assert stores.regions == {signed}


def test_the_account_key_of_the_secret_signs_what_is_asked(pod: Pod, stores: Stores) -> None:
    stores.buckets["bucket"] = {**MODEL, "one #1": b"1"}
    stores.account_key = account_key("the account's")
    pod.secret("azure", {"account_key": account_key("another's")})
    for secret in (None, "azure"):
        refused = pod.fetch("azure://account/bucket", secret=secret)
        assert refused.returncode == 1
        assert refused.stderr.startswith("error: azure://account/bucket: ClientAuthentication")
        assert "AuthenticationFailed" in refused.stderr
        assert "Traceback" not in refused.stderr
    pod.secret("azure", {"account_key": stores.account_key})
    fetched = pod.fetch("azure://account/bucket", secret="azure")
    assert fetched.returncode == 0, fetched.stderr
    assert pod.files() == stores.buckets["bucket"]


@pytest.mark.parametrize(
    ("store", "secret", "message"),
    [
        ("azure", '{"account_key": "a-key",}', "the secret mine is not a JSON object: "),
        ("azure", ["a-key"], "the secret mine is not a JSON object; write one with account_key"),
        ("azure", {"key": "a-key"}, "the secret mine has no account_key"),
        ("azure", {"account_key": "a-key-1"}, "base64"),
        ("s3", {}, "the secret mine has no aws_access_key_id, aws_secret_access_key; "),
        ("s3", {**KEYS, "aws_access_key_id": 1}, "the secret mine has no aws_access_key_id; "),
        ("s3", {**KEYS, "aws_access_key_id": 1}, "; add the field as text"),
        (
            "s3",
            {**KEYS, "aws_session_token": 1},
            "aws_session_token of the secret mine is not text",
        ),
        ("r2", {**OF_TRUSS_TRANSFER, "region": 1}, "region of the secret mine is not text; write"),
        ("r2", {"aws_access_key_id": "a-key"}, "the secret mine has no aws_secret_access_key; "),
        ("cw", {"access_key_id": "a-key"}, "the secret mine has no aws_secret_access_key; "),
        ("s3", " ", "the secret mine is empty; write JSON with aws_access_key_id, "),
        ("gs", "not JSON", "the secret mine is not a JSON object: "),
        ("gs", {"private_key": "a-key"}, "the secret mine has no client_email; "),
    ],
)
def test_an_error_names_what_a_secret_lacks_and_nothing_is_asked(
    pod: Pod, stores: Stores, store: str, secret: Any, message: str
) -> None:
    stores.buckets["bucket"] = MODEL
    pod.secret("mine", secret)
    refused = pod.fetch(BUCKETS[store], secret="mine")
    assert (refused.returncode, stores.asked) == (1, [])
    assert refused.stderr.startswith(f"error: {BUCKETS[store]}: ")
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr
    assert "a-key" not in refused.stderr


def test_a_blob_that_stands_for_a_folder_is_no_file(pod: Pod, stores: Stores) -> None:
    stores.buckets["bucket"] = {"a/sub": b"", "a/sub/more.bin": b"more"}
    stores.folders = {"a/sub"}
    fetched = pod.fetch("azure://account/bucket/a")
    assert fetched.returncode == 0, fetched.stderr
    assert pod.files() == {"sub/more.bin": b"more"}


def test_a_blob_of_several_ranges_is_put_together(pod: Pod, stores: Stores) -> None:
    # The SDK asks for the first 32 MiB, and then for 4 MiB at a time.
    stores.buckets["bucket"] = {"large": b"0123456789abcde" * (5 << 19)}
    fetched = pod.fetch("azure://account/bucket")
    assert fetched.returncode == 0, fetched.stderr
    assert pod.files() == stores.buckets["bucket"]
    assert stores.asked.count(f"GET {WHERE['azure']}/large") == 3


@pytest.mark.parametrize("store", WHERE)
def test_a_file_that_breaks_off_is_made_whole_by_the_next_run(
    pod: Pod, stores: Stores, store: str
) -> None:
    stores.buckets["bucket"] = MODEL
    stores.broken = {"model.safetensors": 4000}
    broken = pod.fetch(BUCKETS[store])
    assert broken.returncode == 1
    assert f"error: {BUCKETS[store]}: " in broken.stderr
    assert "Traceback" not in broken.stderr
    assert not (pod.volume / "a.1.complete").exists()
    assert "model.safetensors" not in pod.files()
    stores.broken.clear()
    stores.asked.clear()
    again = pod.fetch(BUCKETS[store])
    assert again.returncode == 0, again.stderr
    assert pod.files() == MODEL
    assert f"GET {WHERE[store]}/config.json" not in stores.asked


def test_a_bucket_goes_on_with_the_files_that_are_not_whole(pod: Pod, stores: Stores) -> None:
    whole = {"first": b"1" * 100, "second": b"2" * 100}
    stores.buckets["bucket"] = {f"a/{name}": data for name, data in whole.items()}
    (pod.volume / "a").mkdir()
    (pod.volume / "a" / "first").write_bytes(whole["first"])
    (pod.volume / "a" / "second").write_bytes(b"2")
    assert pod.fetch("s3://bucket/a").returncode == 0
    assert pod.files() == whole
    assert "GET /s3/bucket/a/second" in stores.asked
    assert "GET /s3/bucket/a/first" not in stores.asked


@pytest.fixture
def begun(pod: Pod, stores: Stores) -> bytes:
    """The content of a file of the web of which 4 MiB have come; the script writes so many."""
    data = stores.files["model.bin"] = b"0123456789abcdef" * (1 << 19)
    stores.broken["model.bin"] = 6 << 20
    broken = pod.fetch("https://weights.example/model.bin")
    assert broken.returncode == 1
    assert "bytes read" in broken.stderr
    assert len(pod.files()["model.bin.part"]) == 4 << 20
    assert "model.bin" not in pod.files()
    stores.broken.clear()
    return data


def test_a_file_of_the_web_goes_on_where_it_stopped(pod: Pod, stores: Stores, begun: bytes) -> None:
    again = pod.fetch("https://weights.example/model.bin")
    assert again.returncode == 0, again.stderr
    assert pod.files() == {"model.bin": begun}
    assert stores.ranges == [f"bytes={4 << 20}-"]


def test_a_file_of_the_web_that_is_another_by_now_is_fetched_anew(
    pod: Pod, stores: Stores, begun: bytes
) -> None:
    stores.files["model.bin"] = begun[::-1]
    again = pod.fetch("https://weights.example/model.bin")
    assert again.returncode == 0, again.stderr
    assert pod.files() == {"model.bin": begun[::-1]}


def test_a_file_of_the_web_is_asked_for_with_the_token(pod: Pod, stores: Stores) -> None:
    stores.files["model.bin"] = b"model"
    stores.token = "a-token"
    refused = pod.fetch("https://weights.example/model.bin")
    assert (refused.returncode, "401 Client Error" in refused.stderr) == (1, True)
    pod.secret("mine", "a-token\n")
    assert pod.fetch("https://weights.example/model.bin", secret="mine").returncode == 0
    assert pod.files() == stores.files


def test_a_bucket_without_the_files_is_an_error_and_not_a_start(pod: Pod, stores: Stores) -> None:
    stores.buckets["bucket"] = MODEL
    nothing = pod.fetch("s3://bucket/elsewhere")
    assert (nothing.returncode, (pod.volume / "a.1.complete").exists()) == (1, False)
    assert "the source has no files" in nothing.stderr


def test_an_object_cannot_leave_the_folder(pod: Pod, stores: Stores) -> None:
    stores.buckets["bucket"] = {"a/../../outside": b"x"}
    assert pod.fetch("s3://bucket/a").returncode == 1
    assert not (pod.volume.parent / "outside").exists()


HUGE = 1 << 50
"""More than any disk has that runs the tests."""


@pytest.mark.parametrize(
    ("source", "hub"), [*LAYOUTS, ("https://weights.example/model.safetensors", False)]
)
def test_what_the_volume_cannot_hold_is_refused_before_the_first_byte(
    pod: Pod, stores: Stores, source: str, hub: bool
) -> None:
    stores.repositories["owner/model"] = stores.buckets["bucket"] = stores.files = MODEL
    stores.claimed["model.safetensors"] = HUGE
    refused = pod.fetch(source, hub=hub)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"error: {source}: the weights need 1024.0Ti more, and the ")
    assert "raise `weights.storage.size` of the stage to 1" in refused.stderr
    assert pod.files() == {}
    # An ignored file needs no room.
    if not source.startswith("https"):
        fetched = pod.fetch(source, hub=hub, ignore=["*.safetensors"])
        assert fetched.returncode == 0, fetched.stderr


def test_a_hub_that_tells_no_sizes_is_fetched_from_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hf_api = pytest.importorskip("huggingface_hub.hf_api")
    entry = hf_api.RepoFile(path="a", size=None, oid="1")

    def tree(*_: object, **__: object) -> list[Any]:
        return [entry]

    def commit(_: Source) -> str:
        return COMMIT

    monkeypatch.setattr(hf_api.HfApi, "list_repo_tree", tree)
    monkeypatch.setattr(hub, "_commit", commit)
    source = Source("no sizes", "hf://owner/model", "a")
    assert hub.list_files(source) == (hub.HubFile("a", 0, "1", False),)
    assert hub.missing(source) == 0


@pytest.mark.parametrize("later", ["s3://bucket", "https://weights.example/large"])
def test_all_that_has_yet_to_come_needs_room(pod: Pod, stores: Stores, later: str) -> None:
    free = shutil.disk_usage(pod.volume).free
    stores.repositories["owner/model"] = {"one": b"1"}
    stores.buckets["bucket"] = stores.files = {"large": b"2"}
    stores.claimed = {"one": free * 6 // 10, "large": free * 6 // 10}
    sources = wanted("hf://owner/model"), {**wanted(later), "id": "b.1", "folder": "b"}
    refused = pod.run(*sources)
    assert refused.returncode == 1
    assert "error: hf://owner/model: the weights need " in refused.stderr
    assert not any("/resolve/" in request for request in stores.asked)


def test_an_error_names_the_source_that_has_it(pod: Pod, stores: Stores) -> None:
    stores.repositories["owner/model"] = MODEL
    later = {**wanted("s3://bucket"), "id": "b.1", "folder": "b", "secret": "mine"}
    pod.secret("mine", {})
    refused = pod.run(wanted("hf://owner/model"), later)
    assert refused.stderr.startswith("error: s3://bucket: the secret mine has no ")


@pytest.mark.parametrize(
    ("store", "begun"),
    [
        ("s3://bucket", "a/large"),
        ("hf://owner/model", "a/large"),
        ("hf://owner/model", "a/.cache/huggingface/download/x.0123.incomplete"),
    ],
)
def test_what_is_there_needs_no_room_again(
    pod: Pod, stores: Stores, store: str, begun: str
) -> None:
    size = shutil.disk_usage(pod.volume).free + (1 << 30)
    stores.repositories["owner/model"] = stores.buckets["bucket"] = {"large": b"1", "next": b"2"}
    stores.claimed["large"] = size
    file = pod.volume / begun
    file.parent.mkdir(parents=True)
    with open(file, "wb") as sparse:
        sparse.truncate(size)
    assert "the weights need" not in pod.fetch(store).stderr


def test_what_a_killed_fetch_left_is_removed(pod: Pod, stores: Stores) -> None:
    stores.repositories["owner/model"] = stores.buckets["bucket"] = MODEL
    left = ("h/.cache/huggingface/download/x.0123.89abcdef.incomplete", "b/model.part.89aBcDeF")
    for name in left:
        (pod.volume / name).parent.mkdir(parents=True)
        (pod.volume / name).write_bytes(b"left")
    assert pod.fetch("hf://owner/model", id="h", folder="h").returncode == 0
    assert pod.fetch("s3://bucket", id="b", folder="b").returncode == 0
    assert not any((pod.volume / name).exists() for name in left)


GROUP = 60000
RUNNER = """
import json, os, sys
import runpy
volume, uid = sys.argv[1:]
def run(volume):
    os.environ["TRUSSFORM_VOLUME"] = volume
    for name in [name for name in sys.modules if name.startswith("fetcher")]:
        del sys.modules[name]
    runpy.run_module("fetcher", run_name="__main__")
# The modules are root's, so all of them come before the process is somebody else.
run(volume + "-root")
os.setgroups([int("60000")]); os.setgid(int(uid)); os.setuid(int(uid))
run(volume)
"""


class Shared:
    """A volume as Kubernetes gives it to pods of one fsGroup, and pods of several users."""

    def __init__(self, folder: Path, stores: Stores) -> None:
        self.folder, self.stores = folder, stores
        self.volume = folder / "volume"
        self.volume.mkdir()
        os.chown(self.volume, 0, GROUP)
        self.volume.chmod(0o2775)

    def start(self, user: int, **changes: Any) -> subprocess.Popen[str]:
        own = Path(tempfile.mkdtemp(dir=self.folder))
        own.chmod(0o755)
        (own / "volume").symlink_to(self.volume)
        environment = {
            "PATH": os.environ["PATH"],
            "HF_HOME": str(own / "home"),
            "HF_ENDPOINT": self.stores.url,
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "TRUSSFORM_WEIGHTS": json.dumps([{**wanted("hf://owner/model@main"), **changes}]),
        }
        command = [sys.executable, "-c", RUNNER, str(own / "volume"), str(user)]
        (own / "volume-root").mkdir()
        pipe, program = subprocess.PIPE, mounted(self.folder / "program")
        return subprocess.Popen(
            command, cwd=program, env=environment, stdout=pipe, stderr=pipe, text=True
        )

    def fetch(self, user: int, **changes: Any) -> str:
        """Returns what the fetch says on the volume; it must succeed."""
        process = self.start(user, **changes)
        said, error = process.communicate(timeout=120)
        assert process.returncode == 0, error
        return said


@pytest.fixture
def shared(stores: Stores) -> Iterator[Shared]:
    if os.getuid() != 0:
        pytest.skip("only root can be several users")
    # pytest's own folder is closed to other users.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        stores.repositories["owner/model"] = MODEL
        yield Shared(folder, stores)


@pytest.mark.parametrize("hub", [False, True], ids=["a folder", "a cache"])
def test_another_user_of_the_group_has_the_same_weights(shared: Shared, hub: bool) -> None:
    shared.fetch(1000, hub=hub)
    for path in [shared.volume, *shared.volume.rglob("*")]:
        if not path.is_symlink():
            mode = path.stat().st_mode
            assert (path, mode & 0o020, path.stat().st_gid) == (path, 0o020, GROUP)
    said = shared.fetch(10001, hub=hub)
    assert said.endswith("hf://owner/model@main: already complete\n")


@pytest.mark.parametrize("hub", [False, True], ids=["a folder", "a cache"])
def test_another_user_goes_on_where_the_first_stopped(
    shared: Shared, stores: Stores, hub: bool
) -> None:
    process = shared.start(1000, hub=hub)
    process.communicate(timeout=120)
    assert process.returncode == 0
    # As a killed fetch leaves it: with locks, and all files but one.
    (shared.volume / "a.1.complete").unlink()
    for file in shared.volume.rglob("model.safetensors"):
        file.resolve().unlink()
        file.unlink(missing_ok=True)
    for lock in shared.volume.rglob("*.lock"):
        lock.chmod(0o644)
    said = shared.fetch(10001, hub=hub)
    assert "complete after" in said.splitlines()[-1]
    (found,) = shared.volume.rglob("model.safetensors")
    assert found.read_bytes() == MODEL["model.safetensors"]


def test_complete_weights_of_an_older_version_need_no_right_to_write(shared: Shared) -> None:
    shared.fetch(1000)
    for path in [*shared.volume.rglob("*"), shared.volume]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    said = shared.fetch(10001)
    assert said.endswith("hf://owner/model@main: already complete\n")


def test_a_fetch_that_an_older_version_began_for_one_user_is_an_error_with_a_remedy(
    shared: Shared,
) -> None:
    shared.fetch(1000)
    (shared.volume / "a.1.complete").unlink()
    (shared.volume / "a" / "config.json").unlink()
    for path in shared.volume.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    process = shared.start(10001)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "remove a and its marks from the volume, or fetch as their owner" in error
    assert "Traceback" not in error


def test_a_volume_that_is_closed_to_the_group_is_an_error_with_a_remedy(shared: Shared) -> None:
    shared.volume.chmod(0o755)
    process = shared.start(10001)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 1
    assert error.endswith(
        "; the pod's group cannot write to the volume; if its driver ignores fsGroup, set "
        "`weights.run_as_user_id` of the stage to the owner of the volume's top folder\n"
    )


def test_two_users_at_once_fetch_once(shared: Shared, stores: Stores) -> None:
    both = [shared.start(user) for user in (1000, 10001)]
    assert [process.communicate(timeout=120)[1] and process.returncode for process in both] != 1
    assert [process.returncode for process in both] == [0, 0]
    # Each of them has fetched once as root before.
    path = f"GET /owner/model/resolve/{COMMIT}/model.safetensors"
    assert stores.asked.count(path) == 3


def test_a_second_user_has_a_home_of_its_own(tmp_path: Path, monkeypatch: Any) -> None:
    for name in (".huggingface", ".home"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(volume, "VOLUME", tmp_path)
    monkeypatch.setenv("HF_HOME", str(tmp_path / ".huggingface"))
    monkeypatch.setenv("HOME", "/elsewhere")
    volume.use_own_home()
    assert os.environ["HF_HOME"] == str(tmp_path / ".huggingface")
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    volume.use_own_home()
    assert os.environ["HF_HOME"] == str(tmp_path / ".huggingface-12345")
    assert os.environ["HOME"] == "/elsewhere"
