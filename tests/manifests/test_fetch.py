"""What the init container does: the script itself, against stores of this machine."""

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stores import Stores
from trussform.manifests import weights

FETCH = Path(weights.__file__).with_name("fetch.py")
MODEL = {"config.json": b"{}", "model.safetensors": b"weights" * 1000, "sub/more.bin": b"more"}


@pytest.fixture
def stores() -> Iterator[Stores]:
    made = Stores()
    yield made
    made.close()


class Pod:
    """A volume and a folder of secrets, and the script that runs with them."""

    def __init__(self, folder: Path, stores: Stores) -> None:
        self.volume, self.secrets = folder / "weights", folder / "secrets"
        self.volume.mkdir()
        self.secrets.mkdir()
        self.stores = stores

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
            "STORAGE_EMULATOR_HOST": url,
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

    def files(self, folder: str = "a") -> dict[str, bytes]:
        root = self.volume / folder
        return {
            str(file.relative_to(root)): file.read_bytes()
            for file in root.rglob("*")
            if file.is_file() and ".cache" not in file.parts
        }


@pytest.fixture
def pod(tmp_path: Path, stores: Stores) -> Pod:
    return Pod(tmp_path, stores)


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
    (pod.secrets / "hf_access_token").write_text("a-token\n")
    assert pod.fetch("hf://owner/model", secret="hf_access_token").returncode == 0
    assert pod.files() == MODEL


def test_what_differs_from_the_hub_is_removed_and_fetched_again(pod: Pod, stores: Stores) -> None:
    stores.repositories["owner/model"] = MODEL
    stores.damaged = {"model.safetensors"}
    damaged = pod.fetch("hf://owner/model")
    assert damaged.returncode == 1
    assert "1 files are not what the hub has" in damaged.stderr
    again = pod.fetch("hf://owner/model")
    assert again.returncode == 0, again.stderr
    assert pod.files() == MODEL


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


@pytest.mark.parametrize("source", ["s3://bucket/models/a", "gs://bucket/models/a"])
def test_a_bucket_gives_what_is_below_the_prefix(pod: Pod, stores: Stores, source: str) -> None:
    stores.buckets["bucket"] = {
        "models/a/config.json": b"{}",
        "models/a/sub/more.bin": b"more",
        "models/a/": b"",
        "models/another": b"no",
    }
    fetched = pod.fetch(source)
    assert fetched.returncode == 0, fetched.stderr
    assert pod.files() == {"config.json": b"{}", "sub/more.bin": b"more"}


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


def test_a_file_of_the_web_goes_on_where_it_stopped(tmp_path: Path, stores: Stores) -> None:
    stores.files["model.bin"] = b"0123456789" * 1000
    stores.broken["model.bin"] = 4000
    # Called by itself: the stores of this machine have no certificate for https.
    web = runpy.run_path(str(FETCH))["web"]
    wanted = {"source": f"{stores.url}/web/model.bin", "secret": None}
    with pytest.raises(OSError, match="4000 bytes read"):
        web(wanted, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.bin.part"]
    web(wanted, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.bin"]
    assert (tmp_path / "model.bin").read_bytes() == stores.files["model.bin"]


def test_a_bucket_without_the_files_is_an_error_and_not_a_start(pod: Pod, stores: Stores) -> None:
    stores.buckets["bucket"] = MODEL
    nothing = pod.fetch("s3://bucket/elsewhere")
    assert (nothing.returncode, (pod.volume / "a.1.complete").exists()) == (1, False)
    assert "nothing is there" in nothing.stderr


def test_an_object_cannot_leave_the_folder(pod: Pod, stores: Stores) -> None:
    stores.buckets["bucket"] = {"a/../../outside": b"x"}
    assert pod.fetch("s3://bucket/a").returncode == 1
    assert not (pod.volume.parent / "outside").exists()
