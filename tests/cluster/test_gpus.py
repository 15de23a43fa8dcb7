"""Nodes with another GPU, and GPUs that no node has."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from pulumi.automation import CommandError
from support.deployed import Deployed, kubectl, pods
from support.servers import small

NOWHERE = {
    "servers": {"big": small(resources={"accelerator": "A100"})},
    "request_timeout": 1,
    "deadlines": {"pull": 0, "startup": 1},
}


@pytest.fixture(scope="module", autouse=True)
def nowhere(deployed: Deployed) -> Iterator[Future[None]]:
    """An up that mostly waits, while the other tests of this file run."""
    with ThreadPoolExecutor() as pool:
        yield pool.submit(deployed.up, "nowhere", NOWHERE)


@pytest.mark.parametrize("product", ["NVIDIA-H100-PCIe", "NVIDIA-H100-NVL"])
def test_an_h100_of_any_product_will_do(deployed: Deployed, product: str) -> None:
    node = kubectl("get", "nodes", "-o", "name").strip()
    label = "nvidia.com/gpu.product"
    kubectl("label", node, f"{label}={product}", "--overwrite")
    try:
        deployed.up("h100", {"servers": {"big": small(resources={"accelerator": "H100"})}})
        (pod,) = pods("models-h100", "big")
        assert pod["status"]["phase"] == "Running"
    finally:
        kubectl("label", node, f"{label}=NVIDIA-L4", "--overwrite")
        deployed.destroy("h100")


def test_a_gpu_that_no_node_has_ends_the_up_and_the_pod_says_why(nowhere: Future[None]) -> None:
    with pytest.raises((CommandError, AssertionError), match=r"[Pp]rogress ?[Dd]eadline"):
        nowhere.result()
    (pod,) = pods("models-nowhere", "big")
    (scheduled,) = pod["status"]["conditions"]
    assert pod["status"]["phase"] == "Pending"
    assert "didn't match Pod's node affinity/selector" in scheduled["message"]
