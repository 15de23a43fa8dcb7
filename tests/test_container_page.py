"""docs/container.md: every test that it names exists, and every mount is in it."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from support.workspace import ROOT
from trussform.cli.render import objects
from trussform.plan import Plan
from trussform.plan.reserved import RESERVED

PAGE = (ROOT / "docs/container.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" |")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and len(re.findall(r" \|", line)) == 5
]
PROMISES = [row for row in ROWS if row[0] not in ("promise", "---")]
NAMED = sorted(set(re.findall(r"`(test_\w+\.py)::(\w+)`", PAGE)))


def test_every_promise_is_kept_with_a_test_or_has_a_reason() -> None:
    assert len(PROMISES) > 40
    for promise, source, here, how, tests in PROMISES:
        assert source, promise
        assert here in ("yes", "no"), promise
        assert tests if here == "yes" else how, promise


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_every_test_that_the_page_names_exists(file: str, name: str) -> None:
    assert f"\ndef {name}(" in (ROOT / "tests/cluster" / file).read_text()


def test_every_test_of_a_container_is_in_the_page() -> None:
    text = (ROOT / "tests/cluster/test_container.py").read_text()
    named = {name for file, name in NAMED if file == "test_container.py"}
    assert set(re.findall(r"^def (test_\w+)", text, re.MULTILINE)) == named


def test_every_reserved_name_is_in_the_page() -> None:
    assert [name for name in RESERVED if f"`{name}`" not in PAGE] == []


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"docker_server": {"run_as_user_id": 1000}, "secrets": {"token": None}},
        {"weights": [{"source": "hf://o/m@main", "mount_location": "/models/m"}]},
    ],
    ids=["plain", "user", "weights"],
)
def test_every_mount_is_in_the_page(plan: Callable[..., Plan], config: dict[str, Any]) -> None:
    made = plan(config, {"secrets": {"existing": "mine"}})
    (pod,) = (
        manifest["spec"]["template"]["spec"]
        for manifest in objects(made)
        if manifest["kind"] == "Deployment"
    )
    table = PAGE.partition("## Mounts")[2]
    places = {mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert {place for place in places if f"`{place}`" not in table} <= {"/models/m"}
