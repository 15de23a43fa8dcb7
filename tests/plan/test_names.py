"""Names of objects and hosts, whatever a server is called."""

import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from support.apiserver import label, misfits
from support.hostile import hostile, tried
from support.workspace import STAGE, Workspace, plans_of
from trussform import stack_file
from trussform.cli import render
from trussform.plan.names import kubernetes_name
from trussform.problem import errors

DOMAIN = ".".join(["d" * 62] * 3) + ".x"
"""As long as a domain may be."""

words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=200)
plain = st.from_regex(r"[a-zA-Z0-9][-a-zA-Z0-9_.]{0,199}", fullmatch=True)
EDGES = (
    ["-", "--", "_", ".", "..", "1", "a-", "-a", "A", "é", "ＡＢ", "ａｂ", "İ", "ı", "K", "ß", "ﬁ",
     "٣", "²", "Ⅷ", "a" * 50, "a" * 51, "a" * 63, "a" * 64, "a" * 200, "9" * 50, "-" * 200, "a b",
     "a/b", "../x", "a::b", "a\nb", "\x1b[2J", "\u202e", "\U0001f600", "null", "true", "<<"]
)  # fmt: skip
names = words | plain | st.sampled_from(EDGES)


def alike(start: str, one: str, other: str) -> tuple[str, str]:
    return (start + one)[:200], (start + other)[:200]


pairs = st.tuples(names, names) | st.builds(
    alike,
    st.text("aZ-_9é", min_size=60, max_size=60),
    names,
    names,
)
"""Two names of 1 to 200 characters; many begin with the same 60."""


def is_valid(name: str) -> bool:
    # What is a name already stays one, so that a plan can be planned again.
    stays = kubernetes_name(name) == name
    return stays and label(name) and len(name) <= 50 and name[0].isalpha()


@pytest.mark.parametrize("name", EDGES)
def test_an_odd_name_becomes_a_valid_one(name: str) -> None:
    assert is_valid(kubernetes_name(name))


@hostile(0.25)
@given(pairs)
def test_names_are_valid_stable_and_distinct(pair: tuple[str, str]) -> None:
    made = [kubernetes_name(name) for name in pair]
    assert all(map(is_valid, made))
    assert made == [kubernetes_name(name) for name in pair]
    assert (pair[0] == pair[1]) == (made[0] == made[1])
    tried("names", "pairs of names of 1 to 200 characters", "valid, stable and distinct")


def test_a_name_that_is_one_stays_and_another_is_the_same_at_every_call() -> None:
    """Written out: another name would make other objects of the ones that run."""
    assert kubernetes_name("llama-3") == "llama-3"
    assert kubernetes_name("a" * 50) == "a" * 50
    assert kubernetes_name("Llama 3.1") == "llama-3-1-5fda6801"
    assert kubernetes_name("größe") == "gr-e-d353a267"
    assert kubernetes_name("3") == "server-3-4e074085"


WAYS: list[dict[str, Any]] = [
    {"route": {"kind": "gateway", "name": "public"}},
    {"route": {"kind": "ingress", "controller": "traefik"}},
    {"route": {"kind": "ingress", "controller": "nginx"}},
]
CONFIG: dict[str, Any] = {
    "runtime": {"transport": {"kind": "websocket"}, "egress_restrictions": {}},
    "weights": [{"source": "hf://a/b", "mount_location": "/models/b"}],
    "secrets": {"token": None, "DOCKER_REGISTRY_registry.example.com": None},
    "requirements": ["six"],
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace(tmp_path_factory.mktemp("names"))
    made.write_stack()
    return made


@hostile(0.05)
@given(st.lists(names, min_size=1, max_size=3, unique=True), names, st.sampled_from(WAYS))
def test_every_object_of_every_server_has_a_name_of_its_own(
    workspace: Workspace, servers: list[str], model: str, way: dict[str, Any]
) -> None:
    workspace.write_config({**CONFIG, "model_name": model})
    stage = {**STAGE, **way, "domain": DOMAIN, "namespace": "n" * 63, "environment": "e" * 63,
             "servers": {name: {"path": "server"} for name in servers}}  # fmt: skip
    workspace.stack.write_text(yaml.safe_dump({"config": {stack_file.STAGE: stage}}))
    plans, problems = plans_of(stack_file.read_stack(workspace.stack))
    assert errors(problems) == []
    assert set(plans) == set(servers)
    made = [manifest for plan in plans.values() for manifest in render.objects(plan)]
    assert [text for manifest in made for text in misfits(manifest)] == []
    keys = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in made]
    assert len(keys) == len(set(keys))
    for plan in plans.values():
        notes = re.findall(r"# Needs the Secret (\S+);", render.stream({plan.name: plan}))
        assert all(map(label, notes))


def test_two_servers_whose_objects_would_be_the_same_are_refused(workspace: Workspace) -> None:
    workspace.write_config()
    first, second = sorted(["a_b", kubernetes_name("a_b")])
    stage = {"servers": {first: {"path": "server"}, second: {"path": "server"}}}
    problems = plans_of(stack_file.read_stack(workspace.write_stack(stage)))[1]
    (problem,) = errors(problems)
    assert problem.field == f"servers.{second}"
    assert problem.location.line > 1
    assert f"and of `{first}` have the same name, `{first}`" in problem.message
    only = plans_of(stack_file.read_stack(workspace.stack), [workspace.config])[1]
    assert errors(only) == [problem]
