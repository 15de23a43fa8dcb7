"""Weights on a real volume: there before the server starts, and fetched once."""

import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import yaml
from support.cluster import cluster
from support.deployed import ByPulumi, Deployed, kubectl, pods
from support.programs import wait_for
from support.stores import Stores

MakeClient = Callable[..., httpx.Client]
CLASS = "trussform-test"
OWNER = 1234
"""The owner of the volume's folder; the image of the fetcher has another user."""
MODEL = {"config.json": b'{"hidden_size": 384}', "sub/model.bin": b"x" * 100_000, "README.md": b""}


@pytest.fixture(scope="module")
def stores() -> Iterator[Stores]:
    cluster()
    address = "{.items[0].status.addresses[?(@.type=='InternalIP')].address}"
    made = Stores(kubectl("get", "nodes", "--output", f"jsonpath={address}"))
    made.repositories["owner/model"] = MODEL
    made.token = "a-token"
    yield made
    made.close()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image of the fetcher: KServe's, from this machine."""
    name = f"{cluster().registry}/fetch:1"
    folder = tmp_path_factory.mktemp("fetch")
    base = cluster().images.python
    install = "RUN python3 -m pip install --no-cache-dir huggingface_hub"
    (folder / "Dockerfile").write_text(f"FROM {base}\n{install}\nUSER 1000\n")
    for command in (["build", "--tag", name, str(folder)], ["push", name]):
        subprocess.run(["docker", *command], check=True, capture_output=True)
    return name


@pytest.fixture(scope="module")
def served(deployed: Deployed, stores: Stores, image: str, tmp_path_factory: Any) -> Iterator[str]:
    """An environment with the server of `servers/weights` on a claim."""
    disk = tmp_path_factory.mktemp("disk")
    # A hostPath ignores fsGroup, as the drivers of NFS and CephFS do.
    os.chown(disk, OWNER, OWNER)
    disk.chmod(0o755)
    for folder in disk.parents[:3]:
        folder.chmod(0o755)
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": CLASS},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": CLASS,
            "hostPath": {"path": str(disk)},
        },
    }
    kubectl("apply", "--filename", "-", input=yaml.safe_dump(volume))
    stage = {
        "weights": {
            "storage": {"kind": "claim", "size": "1Gi", "storage_class": CLASS},
            "image": image,
            "run_as_user_id": OWNER,
            "environment_variables": {"HF_ENDPOINT": stores.url},
        },
        "deadlines": {"weights": 60},
        "servers": {"weights": {"path": "servers/weights"}},
    }
    deployed.up("weights", stage, hf_access_token="a-token")
    yield "weights"
    deployed.destroy("weights")
    kubectl("delete", "persistentvolume", CLASS)


def test_the_weights_are_there_and_fetched_once(
    served: str, stores: Stores, client: MakeClient
) -> None:
    def get(path: str) -> httpx.Response:
        return client("weights", "weights").get(path)

    wait_for(lambda: get("/predict").content == MODEL["config.json"], "the model is served")
    wait_for(lambda: get("/sync/sub/model.bin").content == MODEL["sub/model.bin"], "all of it")
    assert get("/sync/README.md").status_code == 404
    (first,) = pods("models-weights", "weights")
    assert "GET /api/models/owner/model/revision/main" in stores.asked
    stores.asked.clear()
    kubectl("delete", "pod", "-n", "models-weights", first["metadata"]["name"], "--wait=false")
    wait_for(lambda: _ready_but(first) != [], "another pod is ready")
    assert stores.asked == []
    (second,) = _ready_but(first)
    of_pod = ("logs", "-n", "models-weights", second, "--container")
    assert "hf://owner/model@main: already complete" in kubectl(*of_pod, "fetch-weights")
    assert "the weights are there: /app/model_cache/model" in kubectl(*of_pod, "server")


def test_what_fetches_runs_by_digest(served: str, engine: ByPulumi) -> None:
    (pod,) = pods("models-weights", "weights")
    (fetch,) = pod["spec"]["initContainers"]
    assert "/fetch@sha256:" in fetch["image"]


def _ready_but(first: dict[str, Any]) -> list[str]:
    return [
        pod["metadata"]["name"]
        for pod in pods("models-weights", "weights")
        if pod["metadata"]["uid"] != first["metadata"]["uid"]
        and ("Ready", "True")
        in [(found["type"], found["status"]) for found in pod["status"].get("conditions", ())]
    ]
