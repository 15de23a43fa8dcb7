"""The weights of Truss's three fields for them, and their volume."""

from collections.abc import Callable
from typing import Any

import pytest
from support.workspace import Workspace
from trussform.config.instances import ACCELERATORS
from trussform.manifests.weights import mounts
from trussform.plan import Plan
from trussform.plan.weights import ANY_USERS_HUB, GPU_MEMORY, HUB

MakePlan = Callable[..., Plan]
COMMIT = "0123456789" * 4


def weight(source: str, mount: str = "/models/a", **more: Any) -> dict[str, Any]:
    return {"weights": [{"source": source, "mount_location": mount, **more}]}


def cached(repo: str, **more: Any) -> dict[str, Any]:
    return {"model_cache": [{"repo_id": repo, "use_volume": False, **more}]}


VOLUME = {"use_volume": True, "volume_folder": "a", "revision": "main"}


@pytest.mark.parametrize(
    ("config", "source", "mount", "read_only", "hub"),
    [
        (weight("hf://o/m@main"), "hf://o/m@main", "/models/a", True, False),
        (weight("s3://b/p", "/x//y/"), "s3://b/p", "/x/y", True, False),
        (cached("o/m", **VOLUME), "hf://o/m@main", "/app/model_cache/a", False, False),
        (cached("b/p", **VOLUME, kind="gcs"), "gs://b/p", "/app/model_cache/a", False, False),
        (cached("s3://b/p", **VOLUME, kind="s3"), "s3://b/p", "/app/model_cache/a", False, False),
        (cached("o/m"), "hf://o/m", "/root/.cache/huggingface/hub", False, True),
        (cached("gs://b/p"), "gs://b/p", "/app/model_cache/b/p", False, False),
        (weight("azure://a/$web"), "azure://a/$web", "/models/a", True, False),
        (cached("a/c/p", kind="azure"), "azure://a/c/p", "/app/model_cache/a/c/p", False, False),
        (weight("r2://a.b/p"), "r2://a.b/p", "/models/a", True, False),
        (weight("cw://b"), "cw://b", "/models/a", True, False),
        ({"hf_cache": cached("o/m")["model_cache"]}, "hf://o/m", "/root/.cache/huggingface/hub",
         False, True),
    ],
)  # fmt: skip
def test_each_way_to_ask_for_weights(
    plan: MakePlan, config: dict[str, Any], source: str, mount: str, read_only: bool, hub: bool
) -> None:
    (made,) = plan(config).weights.sources
    assert (made.source, made.mount, made.read_only, made.hub) == (source, mount, read_only, hub)


FETCHER = "kserve/storage-initializer:v0.20.0"
DIGEST = "sha256:" + "d" * 64


def test_what_fetches_runs_by_digest_as_every_image(plan: MakePlan) -> None:
    config = weight("hf://o/m@main")
    followed = plan(config).fetcher.image
    assert followed is not None
    assert (followed.name, followed.look_up) == (FETCHER, True)
    bases = {"python:3.11-slim": DIGEST}
    locked = plan(config, {"tags": "locked", "digests": {**bases, FETCHER: DIGEST}}).fetcher.image
    assert locked is not None
    assert (locked.reference, locked.look_up) == (f"kserve/storage-initializer@{DIGEST}", False)
    assert plan().fetcher.image is None


def test_an_up_waits_for_the_lock_of_what_fetches(workspace: Workspace) -> None:
    own = {"image": "registry.example.com/fetch:1"}
    locked = {"tags": "locked", "digests": {"python:3.11-slim": DIGEST}}
    server = {"path": "server", "weights": own}
    _, problems = workspace.plan(weight("hf://o/m@main"), {**locked, "servers": {"server": server}})
    (problem,) = [problem for problem in problems if problem.level != "warning"]
    assert (problem.level, problem.field) == ("blocks-deploy", "servers.server.weights.image")
    assert "no digest for `registry.example.com/fetch:1`" in problem.message


def test_another_source_revision_or_pattern_is_another_folder(plan: MakePlan) -> None:
    configs = [
        weight("hf://o/m@main"),
        weight("hf://o/m@v2"),
        weight("hf://o/m@main", allow_patterns=["*.json"]),
        weight("hf://o/m@main", ignore_patterns=["*.json"]),
    ]
    folders = [plan(config).weights.sources[0].folder for config in configs]
    assert len(set(folders)) == len(configs)
    assert all(folder.startswith("m-") for folder in folders)


def test_the_same_weights_at_another_place_are_the_same_folder(plan: MakePlan) -> None:
    one, other = (plan(weight("hf://o/m@v1", at)).weights.sources[0] for at in ("/a/b", "/c"))
    assert (one.folder, one.id) == (other.folder, other.id)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (weight("hf://o/m", "/app"), "would hide files"),
        (weight("hf://o/m", "/"), "would hide files"),
        (weight("hf://o/m", "/secrets/x"), "would hide files"),
        (weight("hf://o/m", "/app/config.yaml"), "would hide files"),
        (weight("hf://o/m", "/usr/local/bin/truss-transfer-cli"), "would hide files"),
        (weight("hf://o/m", "/a/../b"), "cannot mount a volume at"),
        (weight("hf://o/m", "/a\nEOF\nid"), "too long, or has characters"),
        (weight("hf://o/m", "/" + "a" * 5000), "too long, or has characters"),
        (cached("o/m", **{**VOLUME, "volume_folder": "a\nEOF"}), "too long, or has characters"),
        (weight("hf://o/m/folder"), "is not a valid source"),
        (weight("azure://account"), "is not a valid source"),
        (weight("azure://host#/container"), "is not a valid source"),
        (weight("r2://bucket/path.x"), "is not a valid source"),
        (weight("r2://host?.bucket"), "is not a valid source"),
        ({"weights": weight("s3://a", "/m")["weights"] + weight("s3://b", "/m/c")["weights"]},
         "is inside the mount /m"),
    ],
)  # fmt: skip
def test_a_place_that_cannot_be(workspace: Workspace, config: dict[str, Any], message: str) -> None:
    (problem,) = [p for p in workspace.plan(config)[1] if p.level == "error"]
    assert message in problem.message
    assert problem.location.line > 0


def test_a_revision_that_moves_is_told(workspace: Workspace) -> None:
    def warnings(revision: str) -> list[str]:
        return [p.message for p in workspace.plan(weight(f"hf://o/m{revision}"))[1]]

    once = "can change, but the weights are downloaded only once"
    assert f"`main` {once}" in warnings("@main")
    assert f"the default branch {once}" in warnings("")
    assert warnings(f"@{COMMIT}") == []


def test_the_secret_of_a_source_must_be_there_and_the_usual_token_may_be(
    workspace: Workspace,
) -> None:
    def missing(config: dict[str, Any]) -> list[str]:
        return [p.message for p in workspace.plan(config)[1] if p.level == "blocks-deploy"]

    named = weight(f"hf://o/m@{COMMIT}", auth_secret_name="mine")
    assert missing(named) == ["the stack has no value for the secret `mine`"]
    assert missing(weight(f"hf://o/m@{COMMIT}")) == []


def test_a_cloud_identity_comes_from_the_stages_service_account(workspace: Workspace) -> None:
    auth = {"auth_method": "AWS_OIDC", "aws_oidc_role_arn": "arn:role", "aws_oidc_region": "x"}
    config = weight("s3://b/p", auth=auth)
    (problem,) = workspace.plan(config)[1]
    assert (problem.level, "arn:role" in problem.message) == ("blocks-deploy", True)
    assert workspace.plan(config, {"pod": {"service_account": "reader"}})[1] == []


def test_one_nodes_volume_has_one_pod_at_a_time(workspace: Workspace) -> None:
    config = weight(f"hf://o/m@{COMMIT}")
    alone, _ = workspace.plan(config)
    assert (alone.rollout.surge, "only one node can mount" in alone.rollout.why) == (0, True)
    _, problems = workspace.plan(config, {"replicas": 2})
    assert [problem.field for problem in problems] == ["replicas"]
    shared = {
        "weights": {"storage": {"kind": "claim", "access_mode": "ReadWriteMany"}},
        "replicas": 2,
    }
    many, problems = workspace.plan(config, shared)
    assert (many.rollout.surge, problems) == (1, [])


def gpus(accelerator: str) -> dict[str, Any]:
    resources = {"accelerator": accelerator, "memory": "100Gi"}
    return {**weight(f"hf://o/m@{COMMIT}"), "resources": resources}


@pytest.mark.parametrize(
    ("accelerator", "size", "memory"),
    [
        ("B200:8", None, "1440Gi"),
        ("H100:2", None, "160Gi"),
        ("H100", "79.9Gi", "80Gi"),
        ("H100", "80G", "80Gi"),
        ("L4", "1e9", "24Gi"),
    ],
)
def test_a_claim_smaller_than_the_gpus_memory_is_a_warning(
    workspace: Workspace, accelerator: str, size: str | None, memory: str
) -> None:
    stage = {"weights": {"storage": {"kind": "claim", "size": size}}} if size else {}
    (problem,) = workspace.plan(gpus(accelerator), stage)[1]
    assert (problem.level, problem.field) == ("warning", "weights.storage.size")
    claim = f"the claim of `server` has {size or '100Gi'}"
    assert problem.message.startswith(claim)
    assert problem.message.endswith(f"is {memory}")
    assert accelerator in problem.message
    assert memory in problem.fix


def test_the_warning_is_about_the_servers_own_claim_where_it_has_one(workspace: Workspace) -> None:
    own = {"storage": {"kind": "claim", "size": "200Gi"}}
    stage = {"servers": {"server": {"path": "server", "weights": own}}}
    (problem,) = workspace.plan(gpus("B200:2"), stage)[1]
    assert problem.field == "servers.server.weights.storage.size"


@pytest.mark.parametrize(
    ("config", "storage"),
    [
        (gpus("H100"), {"kind": "claim"}),
        (gpus("B200:8"), {"kind": "claim", "size": "1.5Ti"}),
        (gpus("B200:8"), {"kind": "claim", "size": "1440Gi"}),
        (gpus("B200:8"), {"kind": "existing", "claim": "models"}),
        (gpus("B200:8"), {"kind": "node"}),
        ({"resources": {"accelerator": "B200"}}, {"kind": "claim"}),
        (weight(f"hf://o/m@{COMMIT}"), {"kind": "claim", "size": "1Mi"}),
    ],
)
def test_a_claim_that_may_be_large_enough_is_none(
    workspace: Workspace, config: dict[str, Any], storage: dict[str, Any]
) -> None:
    assert workspace.plan(config, {"weights": {"storage": storage}})[1] == []


def test_the_memory_of_every_accelerator_but_the_unpublished_is_known() -> None:
    assert set(ACCELERATORS) - GPU_MEMORY.keys() == {"B10"}


def patterns(allow: list[str], ignore: list[str], **more: Any) -> dict[str, Any]:
    return weight(f"hf://o/m@{COMMIT}", allow_patterns=allow, ignore_patterns=ignore, **more)


@pytest.mark.parametrize(
    ("config", "level", "field"),
    [
        (patterns(["/a.json"], []), "error", "weights[0].allow_patterns[0]"),
        (patterns(["*.json", "./a"], []), "warning", "weights[0].allow_patterns[1]"),
        (patterns(["a/../b"], []), "error", "weights[0].allow_patterns[0]"),
        (patterns([""], []), "error", "weights[0].allow_patterns[0]"),
        (patterns(["*.json"], ["*.bin", "*.json"]), "error", "weights[0].ignore_patterns"),
        (patterns([], ["**"]), "error", "weights[0].ignore_patterns"),
        (cached("o/m", revision=COMMIT, ignore_patterns=["*"]), "error",
         "model_cache[0].ignore_patterns"),
        (patterns([], ["./a"]), "warning", "weights[0].ignore_patterns[0]"),
        (patterns([], ["a.{bin,pt}"]), "warning", "weights[0].ignore_patterns[0]"),
    ],
)  # fmt: skip
def test_patterns_that_can_choose_no_file(
    workspace: Workspace, config: dict[str, Any], level: str, field: str
) -> None:
    (problem,) = workspace.plan(config)[1]
    assert (problem.level, problem.field) == (level, field)


def test_braces_of_a_shell_are_written_as_several_patterns(workspace: Workspace) -> None:
    (problem,) = workspace.plan(patterns(["*.{safetensors,json}"], []))[1]
    assert (problem.level, problem.field) == ("warning", "weights[0].allow_patterns[0]")
    assert problem.fix == "list each pattern: `*.safetensors`, `*.json`"


def test_model_cache_may_ignore_all_that_lies_in_folders(workspace: Workspace) -> None:
    assert workspace.plan(cached("o/m", revision=COMMIT, ignore_patterns=["**/*"]))[1] == []


def test_patterns_that_may_choose_files_are_none(workspace: Workspace) -> None:
    allow = ["*.json", "**/*.x", ".hidden/*", "a..b", "dir/"]
    assert workspace.plan(patterns(allow, ["*"]))[1] == []


def test_a_pattern_of_model_cache_goes_on_over_folders(plan: MakePlan) -> None:
    assert not plan(weight("hf://o/m@main")).weights.sources[0].any_depth
    assert plan(cached("o/m")).weights.sources[0].any_depth


@pytest.mark.parametrize(
    ("config", "again"),
    [
        (patterns(["**/*.json"], []), True),
        (patterns(["*.json"], []), False),
        (patterns([], ["*.txt"]), True),
        (patterns([], ["notes.txt"]), False),
        (cached("o/m", allow_patterns=["**/*.json"], ignore_patterns=["*.txt"]), False),
    ],
)
def test_weights_from_which_an_older_version_left_files_out_are_looked_through_again(
    plan: MakePlan, config: dict[str, Any], again: bool
) -> None:
    (source,) = plan(config).weights.sources
    assert (source.id != source._replace(any_depth=True).id) == again
    assert source.folder == source._replace(any_depth=True).folder


def hub_places(plan: Plan) -> set[str]:
    """Returns the mounts of the folder that is laid out as Hugging Face's cache."""
    (source,) = plan.weights.sources
    return {mount["mountPath"] for mount in mounts(plan) if mount.get("subPath") == source.folder}


NAMES = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"HF_HUB_CACHE": "/cache"}, "/cache"),
        ({"HUGGINGFACE_HUB_CACHE": "/data/"}, "/data"),
        ({"HF_HOME": "/hf"}, "/hf/hub"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/huggingface/hub"),
        ({"HOME": "/home/me"}, "/home/me/.cache/huggingface/hub"),
        ({"HF_HOME": "/hf", "HOME": "/home/me"}, "/hf/hub"),
        ({"HF_HOME": "/hf", "HF_HUB_CACHE": "/cache"}, "/cache"),
        ({"HF_HOME": "relative", "XDG_CACHE_HOME": "/xdg"}, "/xdg/huggingface/hub"),
    ],
)
@pytest.mark.parametrize("user", [None, 1000])
def test_the_cache_is_where_the_configs_variables_say(
    plan: MakePlan, variables: dict[str, str], place: str, user: int | None
) -> None:
    server = {} if user is None else {"docker_server": {"run_as_user_id": user}}
    made = plan({**cached("o/m"), "environment_variables": variables, **server})
    assert hub_places(made) == {place}
    # An image may have these of its own, and they are stronger.
    assert {made.variables.texts[name].rstrip("/") for name in NAMES} == {place}
    assert f"Hugging Face's cache is at {place}" in made.weights.why


@pytest.mark.parametrize("user", [None, 1000])
def test_the_cache_is_found_in_images_that_look_elsewhere_and_by_any_user(
    plan: MakePlan, user: int | None
) -> None:
    server = {} if user is None else {"docker_server": {"run_as_user_id": user}}
    made = plan({**cached("o/m"), **server})
    # A command may name the first, as Truss's image has it; /root is closed to most users.
    assert hub_places(made) == {HUB, ANY_USERS_HUB}
    assert {made.variables.texts[name] for name in NAMES} == {ANY_USERS_HUB}
    assert ANY_USERS_HUB in made.weights.why


def test_a_variable_that_names_another_place_is_a_warning(workspace: Workspace) -> None:
    config = {
        **cached("o/m", revision=COMMIT),
        "environment_variables": {"HF_HUB_CACHE": "/one", "HUGGINGFACE_HUB_CACHE": "two"},
    }
    (problem,) = workspace.plan(config)[1]
    place = "environment_variables.HUGGINGFACE_HUB_CACHE"
    assert (problem.level, problem.field) == ("warning", place)
    assert "at `two`, and the weights are at /one" in problem.message


@pytest.mark.parametrize("config", [weight("hf://o/m@main"), cached("o/m", **VOLUME)])
def test_a_folder_of_files_leaves_the_servers_cache_alone(
    plan: MakePlan, config: dict[str, Any]
) -> None:
    made = plan(config)
    assert not set(NAMES) & made.variables.texts.keys()
    assert len(hub_places(made)) == 1
