"""The budget of a start, on a real kubelet: what fits comes up, and what does not is told why."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest
from pulumi.automation import CommandError
from support.deployed import ByPulumi, pods
from support.reliability import SOAK, record
from support.servers import small

BUDGET = 240 if SOAK else 120
STARTS = {"in-time": 0.9 * BUDGET, "too-late": BUDGET + 24 if SOAK else BUDGET + 30}
"""Seconds that each server takes to start. The kubelet makes one check more than fills the budget,
each 10 s after the other, and was seen to let a start pass at the check after that."""


class Up(NamedTuple):
    failed: CommandError | None
    took: float
    status: dict[str, Any]
    """Of the one container, as the up left it."""


@pytest.fixture(scope="module")
def ups(engine: ByPulumi) -> Iterator[dict[str, Future[Up]]]:
    """Both at the same time, each in a stack of its own."""
    with ThreadPoolExecutor() as pool:
        yield {name: pool.submit(up, engine, name) for name in STARTS}
        list(pool.map(engine.destroy, STARTS))


def up(engine: ByPulumi, name: str) -> Up:
    stage = {
        "request_timeout": 1,
        "deadlines": {"provisioning": 0, "pull": 0, "startup": BUDGET},
        "servers": {"slow": small(environment_variables={"START_DELAY": STARTS[name]})},
    }
    began, failed = time.monotonic(), None
    try:
        engine.up(name, stage)
    except CommandError as error:
        failed = error
    took = time.monotonic() - began
    (pod,) = pods(f"models-{name}", "slow")
    (status,) = pod["status"]["containerStatuses"]
    return Up(failed, took, status)


def test_a_start_within_its_budget_comes_up_without_a_restart(
    ups: dict[str, Future[Up]],
) -> None:
    up = ups["in-time"].result()
    assert up.failed is None
    assert (up.status["ready"], up.status["restartCount"]) == (True, 0)
    record(
        "start-in-time",
        f"a start of {STARTS['in-time']:.0f} s, where {BUDGET} s are its budget",
        f"up after {up.took:.0f} s, {up.status['restartCount']} restarts",
    )


def test_a_start_beyond_its_budget_ends_the_up_and_says_why(
    ups: dict[str, Future[Up]],
) -> None:
    up = ups["too-late"].result()
    assert up.failed is not None
    said = str(up.failed)
    wanted = ["Startup probe failed", "last lines of container server:\n        loading"]
    assert [words for words in wanted if words not in said] == [], said
    assert "Traceback" not in said
    assert (up.status["ready"], up.status["restartCount"]) == (False, 1)
    record(
        "start-too-late",
        f"a start of {STARTS['too-late']:.0f} s, where {BUDGET} s are its budget",
        f"`pulumi up` ends after {up.took:.0f} s and says why; {up.status['restartCount']} restart",
    )
