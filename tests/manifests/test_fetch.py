"""What the init container does: the script itself, against stores of this machine."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stores import COMMIT, Stores, certificate
from trussform.manifests import weights

FETCH = Path(weights.__file__).with_name("fetch.py")
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
"""How the store is asked."""
LIKE_S3 = ("s3", "r2", "cw")
KEYS = {"access_key_id": "a-key", "secret_access_key": "a-secret"}


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


class Pod:
    """A volume and a folder of secrets, and the script that runs with them."""

    def __init__(self, folder: Path, stores: Stores, pem: Path) -> None:
        self.volume, self.secrets = folder / "weights", folder / "secrets"
        self.volume.mkdir()
        self.secrets.mkdir()
        self.stores, self.pem = stores, pem

    def fetch(self, source: str, **changes: Any) -> subprocess.CompletedProcess[str]:
        wanted = {"id": "a.1", "source": source, "folder": "a", "hub": False, "secret": None,
                  "role": None, "region": None, "allow": None, "ignore": None}  # fmt: skip
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
            "TRUSSFORM_WEIGHTS": json.dumps([{**wanted, **changes}]),
        }
        return subprocess.run(
            [sys.executable, "-c", FETCH.read_text()],
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
    assert "hf://owner/model@main: there already" in second.stdout


def test_patterns_choose_the_files(pod: Pod, stores: Stores) -> None:
    stores.repositories["owner/model"] = stores.buckets["bucket"] = MODEL
    assert pod.fetch("hf://owner/model", allow=["*.json", "sub/*"]).returncode == 0
    assert pod.files().keys() == {"config.json", "sub/more.bin"}
    fetched = pod.fetch("s3://bucket", id="b", folder="b", ignore=["*.bin"])
    assert fetched.returncode == 0, fetched.stderr
    assert pod.files("b").keys() == {"config.json", "model.safetensors"}


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
    assert f"not what the hub has, and so removed: {name}" in damaged.stderr
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
    from huggingface_hub import snapshot_download

    stores.repositories["owner/model"] = MODEL
    assert pod.fetch("hf://owner/model@main", hub=True).returncode == 0
    found = Path(
        snapshot_download("owner/model", cache_dir=pod.volume / "a", local_files_only=True)
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
    pod.secret("keys", {**KEYS, "secret_access_key": "another"})
    for secret in (None, "keys"):
        refused = pod.fetch(BUCKETS[store], secret=secret)
        assert refused.returncode == 1
        assert refused.stderr.startswith(f"error: {BUCKETS[store]}: ClientError: ")
        assert "SignatureDoesNotMatch" in refused.stderr
        assert "Traceback" not in refused.stderr
    pod.secret("keys", KEYS)
    fetched = pod.fetch(BUCKETS[store], secret="keys")
    assert fetched.returncode == 0, fetched.stderr
    assert pod.files() == MODEL


@pytest.mark.parametrize(
    ("store", "region", "signed"),
    [
        ("s3", None, "us-east-1"),
        ("r2", None, "auto"),
        ("cw", None, "us-east-1"),
        *((store, "eu-west-2", "eu-west-2") for store in LIKE_S3),
    ],
)
def test_the_region_is_that_of_the_secret(
    pod: Pod, stores: Stores, store: str, region: str | None, signed: str
) -> None:
    stores.buckets["bucket"] = MODEL
    stores.access_key = ("a-key", "a-secret")
    pod.secret("keys", {**KEYS, "region": region})
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
        ("azure", "not JSON", "the secret mine is no JSON object"),
        ("azure", ["a-key"], "the secret mine is no JSON object"),
        ("azure", {"key": "a-key"}, "the secret mine has no account_key"),
        ("azure", {"account_key": "a-key-1"}, "base64"),
        ("r2", {"aws_access_key_id": "a"}, "has no access_key_id, secret_access_key"),
        ("cw", {"access_key_id": "a"}, "the secret mine has no secret_access_key"),
        ("gs", "not JSON", "the secret mine is no JSON object"),
    ],
)
def test_a_secret_of_another_form_is_told_and_nothing_is_asked(
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
    assert "nothing is there" in nothing.stderr


def test_an_object_cannot_leave_the_folder(pod: Pod, stores: Stores) -> None:
    stores.buckets["bucket"] = {"a/../../outside": b"x"}
    assert pod.fetch("s3://bucket/a").returncode == 1
    assert not (pod.volume.parent / "outside").exists()
