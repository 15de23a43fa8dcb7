"""The fields of a config, and the problems of one that cannot be used."""

# pyright: reportMissingTypeStubs=false

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from support.workspace import ROOT, Workspace, plans_of
from trussform import stack_file
from trussform.config import ConfigFolder, load_config_folder
from trussform.config.config import Config
from trussform.problem import ProblemError

VALID = """\
base_image:
  image: python:3.11-slim
docker_server:
  start_command: serve
  server_port: 8000
  predict_endpoint: /predict
  readiness_endpoint: /ready
  liveness_endpoint: /live
"""


def lines(workspace: Workspace, text: str) -> list[str]:
    """The complaints about a config, without the folder in front."""
    workspace.write_config(text)
    with pytest.raises(ProblemError) as caught:
        load_config_folder(workspace.config)
    return [str(problem).rpartition("server/")[2] for problem in caught.value.problems]


def test_both_examples_are_read() -> None:
    llama = load_config_folder(ROOT / "examples/servers/vllm-llama-3.1-8b").config
    embeddings = load_config_folder(
        ROOT / "examples/servers/infinity-embeddings/config.yaml"
    ).config
    assert str(llama.resources.accelerator) == "L4"
    assert llama.secrets == {"hf_access_token": None}
    assert llama.runtime.predict_concurrency == 128
    assert embeddings.requirements == ["infinity-emb[all]"]
    assert embeddings.environment_variables == {"hf_access_token": "None"}


def test_variables_become_the_text_that_truss_makes_of_them(workspace: Workspace) -> None:
    from truss.base.truss_config import TrussConfig

    variables = {"t": True, "f": False, "n": None, "i": 8, "x": 1.5, "e": "", "s": "on"}
    path = workspace.write_config({"environment_variables": variables})
    expected = TrussConfig.from_yaml(path).environment_variables
    assert load_config_folder(path).config.environment_variables == expected


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            ("  server_port: 8000\n", ""),
            "config.yaml:3:1: docker_server.server_port: required field is missing; "
            "add `server_port: …` here",
        ),
        (
            ("  start_command: serve\n", ""),
            "config.yaml:3:1: docker_server.start_command: required field is missing; "
            "add `start_command: …` here",
        ),
        (
            ("server_port: 8000", "server_port: 80000"),
            "config.yaml:5:16: docker_server.server_port: input should be less than or equal to "
            "65535; change the value to fit",
        ),
        (
            ("server_port: 8000", "server_port: many"),
            "config.yaml:5:16: docker_server.server_port: expected a whole number, found text; "
            "write a number without quotes",
        ),
        (
            ("  server_port", "  server_prot: 1\n  server_port"),
            "config.yaml:5:3: docker_server.server_prot: unknown field; "
            "did you mean `server_port`?",
        ),
        (
            ("/predict", "predict"),
            "config.yaml:6:21: docker_server.predict_endpoint: `predict` is not a path; "
            "start it with `/`",
        ),
        (
            ("/predict", "/predict?stream=true"),
            "config.yaml:6:21: docker_server.predict_endpoint: `/predict?stream=true` has a `?`, "
            "and an endpoint is only a path; end it before `?`",
        ),
        (
            ("/predict", "http://x/predict"),
            "config.yaml:6:21: docker_server.predict_endpoint: `http://x/predict` is not a path; "
            "start it with `/`",
        ),
        (
            ("python:3.11-slim", "Python:3.11"),
            "config.yaml:2:10: base_image.image: `Python:3.11` is not the name of an image: "
            "repository names are lower-case; write repository:tag or repository@sha256:…",
        ),
        (
            ("docker_server:", "docker_server:\n  start_command: other"),
            "config.yaml:5:3: docker_server.start_command: duplicate key, first used at line 4; "
            "keep one of the two",
        ),
    ],
)
def test_a_mistake_is_told_at_its_line(
    workspace: Workspace, change: tuple[str, str], complaint: str
) -> None:
    assert lines(workspace, VALID.replace(*change)) == [complaint]


@pytest.mark.parametrize(
    ("addition", "complaint"),
    [
        (
            "resources:\n  accelerator: L5\n",
            "config.yaml:10:16: resources.accelerator: unknown accelerator `L5`; use one of T4,",
        ),
        (
            "resources:\n  accelerator: L4:none\n",
            "config.yaml:10:16: resources.accelerator: the text after `:` is not a number "
            "of accelerators; write it as in `L4:2`",
        ),
        (
            "resources: {memory: lots}\n",
            "config.yaml:9:21: resources.memory: `lots` is not an amount; "
            'write it as in "10Gi" or "512Mi"',
        ),
        (
            "resources: {node_count: 2}\n",
            "config.yaml:9:25: resources.node_count: Trussform does not support a server on 2 "
            "nodes; use an accelerator count that fits one node",
        ),
        (
            "bdn: {a: b}\n",
            "config.yaml:9:1: bdn: Trussform does not support this field yet; "
            "remove it; only Baseten's network delivers it",
        ),
        (
            "runtime: {transport: {kind: carrier}}\n",
            "config.yaml:9:29: runtime.transport.kind: `carrier` is not allowed; "
            "use one of 'http', 'websocket', 'grpc'",
        ),
        (
            "runtime: {transport: {kind: WebSocket}}\n",
            "config.yaml:9:29: runtime.transport.kind: text is not allowed; "
            "did you mean `websocket`? Use one of 'http', 'websocket', 'grpc'",
        ),
        (
            "runtime: {transport: {kind: [http]}}\n",
            "config.yaml:9:29: runtime.transport.kind: a list is not allowed; "
            "use one of 'http', 'websocket', 'grpc'",
        ),
        (
            "weights: [{source: s3://b/p, mount_location: /m, auth_secret_name: ../../etc/x}]\n",
            "config.yaml:9:68: weights[0].auth_secret_name: `../../etc/x` is not a name for a "
            "secret",
        ),
        (
            "model_cache: [{repo_id: a/b, use_volume: false, runtime_secret_name: 'a b'}]\n",
            "config.yaml:9:70: model_cache[0].runtime_secret_name: `a b` is not a name for a "
            "secret",
        ),
        (
            "secrets: {..data: null}\n",
            "config.yaml:9:11: secrets...data: `..data` is not a name for a secret",
        ),
        (
            "secrets: {DOCKER_REGISTRY_a'b: null}\n",
            "config.yaml:9:11: secrets.DOCKER_REGISTRY_a'b: `DOCKER_REGISTRY_a'b` is not a name",
        ),
        (
            "data_dir: ../other\n",
            "config.yaml:9:11: data_dir: `../other` is outside the config's folder; "
            "write a path below the folder",
        ),
        (
            "secrets: [token]\n",
            "config.yaml:9:10: secrets: expected fields and values, found a list; "
            "write `name: value` lines",
        ),
    ],
)
def test_a_wrong_value_is_told_at_its_line(
    workspace: Workspace, addition: str, complaint: str
) -> None:
    (line,) = lines(workspace, VALID + addition)
    assert line.startswith(complaint)


def test_a_real_secret_in_the_file_is_refused_and_not_repeated(workspace: Workspace) -> None:
    token = "hf_" + "aB3" * 8
    (line,) = lines(workspace, VALID + f"secrets:\n  token: {token}\n")
    assert line.startswith("config.yaml:10:10: secrets.token: this looks like a real secret")
    assert token not in line


@pytest.mark.parametrize("text", ["none", "<your token>", "hf_access_token", "change me"])
def test_a_placeholder_is_a_warning_and_gets_nowhere(workspace: Workspace, text: str) -> None:
    made, problems = workspace.plan({"secrets": {"token": text}})
    message = "the value in the config is not used"
    levels = [(p.field, p.level) for p in problems if p.message == message]
    assert levels == [("secrets.token", "warning")]
    assert made.files.config["secrets"] == {"token": None}


@pytest.mark.parametrize(
    "text",
    ["hf_" + "aB3" * 8, "sk-proj-" + "x1" * 8, "https://me:word@host/", "a" * 32, "-----BEGIN KEY"],
)
def test_what_looks_like_a_secret_is_one(text: str) -> None:
    data = {"base_image": {"image": "a"}, "docker_server": {}, "secrets": {"token": text}}
    with pytest.raises(ValidationError, match="this looks like a real secret"):
        Config.model_validate(data)


def test_all_mistakes_are_told_at_once(workspace: Workspace) -> None:
    text = (
        VALID.replace("8000", "0").replace("/ready", "ready")
        + "wieghts: []\nweights: [x]\nbdn: {a: b}\n"
    )
    assert len(lines(workspace, text)) == 5


def test_a_name_that_nobody_knows_is_refused_with_null_too(workspace: Workspace) -> None:
    checks = "runtime: {health_checks: {startup_threshold_secondsx: null}}\n"
    (line,) = lines(workspace, VALID + checks)
    assert "runtime.health_checks.startup_threshold_secondsx: unknown field" in line


def test_requirements_come_from_one_place(workspace: Workspace) -> None:
    text = VALID + "requirements: [a]\nrequirements_file: r.txt\n"
    assert lines(workspace, text) == [
        "config.yaml:10:20: requirements_file: the config also has `requirements`; "
        "keep one of the two"
    ]


def test_an_unsupported_field_hides_no_other_problem(workspace: Workspace) -> None:
    text = VALID + "weights:\n  - source: ftp://a/b\n    mount_location: models\nbdn: {a: b}\n"
    assert [line.split(": ")[1] for line in lines(workspace, text)] == [
        "weights[0].source",
        "weights[0].mount_location",
        "bdn",
    ]


def test_every_wrong_item_is_told_at_its_own_line(workspace: Workspace) -> None:
    text = VALID + (
        "environment_variables:\n  A: b\n  'x y': 1\n  '1': 2\n"
        "system_packages:\n  - curl\n  - 'a b'\n  - '-x'\n"
    )
    assert [line.partition(": ")[0] for line in lines(workspace, text)] == [
        "config.yaml:11:3",
        "config.yaml:12:3",
        "config.yaml:15:5",
        "config.yaml:16:5",
    ]


def test_a_complaint_is_one_line_whatever_it_quotes(workspace: Workspace) -> None:
    text = VALID.replace("/predict", '"a\\nb\\e[31m"')
    (line,) = lines(workspace, text)
    assert "`a\\nb\\x1b[31m` is not a path" in line


def test_a_key_that_stands_twice_hides_no_other_mistake(workspace: Workspace) -> None:
    text = VALID.replace("/ready", "ready") + "model_name: a\nmodel_name: b\n"
    assert [line.split(": ")[1] for line in lines(workspace, text)] == [
        "model_name",
        "docker_server.readiness_endpoint",
    ]


def test_an_empty_file_says_what_is_required(workspace: Workspace) -> None:
    assert [line.partition(": ")[2] for line in lines(workspace, "")] == [
        "docker_server: required field is missing; add `docker_server: …` here",
    ]


def test_a_file_that_is_a_list_is_refused(workspace: Workspace) -> None:
    (line,) = lines(workspace, "- a\n")
    assert (
        line
        == "config.yaml:1:1: expected fields and values, found a list; write `name: value` lines"
    )


def test_a_field_of_the_trusss_server_is_a_warning(workspace: Workspace) -> None:
    _, (problem,) = workspace.plan({"live_reload": True})
    assert problem.level == "warning"
    assert problem.path == ("live_reload",)


def beside(workspace: Workspace, text: str, config: str = VALID) -> ConfigFolder:
    """A config with a requirements.txt beside it."""
    workspace.write_config(config)
    (workspace.folder / "server" / "requirements.txt").write_text(text)
    return load_config_folder(workspace.config)


def test_requirements_beside_the_config_are_installed_with_a_warning(workspace: Workspace) -> None:
    text = "# mine\n--extra-index-url https://example.com\nsix\nnumpy==1.0 \\\n  --hash=sha256:0\n"
    assert beside(workspace, text).requirements == {"requirements.txt": text}
    _, (problem,) = workspace.plan()
    assert problem.level == "warning"
    assert "its 2 packages (1 pinned)" in problem.message
    assert "`requirements: []`" in problem.fix


def test_an_empty_list_of_requirements_leaves_the_file_beside_it_out(workspace: Workspace) -> None:
    truss = beside(workspace, "six\n", VALID + "requirements: []\n")
    assert (truss.requirements, truss.problems) == ({}, ())


def test_a_stage_can_leave_out_the_requirements_beside_a_config(workspace: Workspace) -> None:
    workspace.write_config()
    (workspace.folder / "server" / "requirements.txt").write_text("six\n")
    changes: dict[str, Any] = {"servers": {"server": {"config": {"requirements": []}}}}
    plans, problems = plans_of(stack_file.read_stack(workspace.write_stack(changes)))
    assert (plans["server"].image.build, problems) == (None, [])


def test_a_list_of_requirements_is_the_whole_list(workspace: Workspace) -> None:
    truss = beside(workspace, "six\n", VALID + "requirements: [numpy]\n")
    assert (truss.requirements, truss.problems) == ({"requirements.txt": "numpy\n"}, ())


@pytest.mark.parametrize("text", ["", "\n \n", "# nothing\n", "--index-url https://example.com\n"])
def test_a_file_that_names_no_package_installs_nothing(workspace: Workspace, text: str) -> None:
    truss = beside(workspace, text)
    assert (truss.requirements, truss.problems) == ({}, ())


def test_no_build_passes_over_the_requirements_beside_it(workspace: Workspace) -> None:
    truss = beside(
        workspace, "six\n", VALID.replace("docker_server:", "docker_server:\n  no_build: true")
    )
    assert (truss.requirements, truss.problems) == ({}, ())


def test_a_requirements_file_that_is_not_there_is_an_error(workspace: Workspace) -> None:
    _, problems = workspace.plan({"requirements_file": "deps.txt"})
    (problem,) = problems
    assert (problem.level, problem.field) == ("error", "requirements_file")
    assert problem.message.endswith("deps.txt: no such file")


def test_the_stage_overrides_the_config_as_strictly(workspace: Workspace) -> None:
    workspace.write_config()
    stack = workspace.write_stack(
        {"servers": {"server": {"config": {"docker_server": {"server_port": "x", "oops": 1}}}}}
    )
    _, problems = plans_of(stack_file.read_stack(stack))
    assert {problem.field for problem in problems} == {
        "docker_server.server_port",
        "docker_server.oops",
    }
    assert {Path(problem.location.path).name for problem in problems} == {"Pulumi.dev.yaml"}


def test_null_in_an_override_deletes_and_a_list_replaces(
    plan: Callable[..., Any], workspace: Workspace
) -> None:
    made = plan(
        {"requirements": ["six"], "build_commands": ["a", "b"]},
        {"servers": {"server": {"config": {"requirements": None, "build_commands": ["c"]}}}},
    )
    assert made.image.build.requirements == {}
    assert made.image.build.commands == ("c",)


@pytest.mark.parametrize("address", ["a b", "a\nkind: Pod", "a;id", "'", "-o", "é", "a" * 300])
def test_what_is_no_address_of_a_registry_is_refused(workspace: Workspace, address: str) -> None:
    auth = {"auth_method": "REGISTRY_SECRET", "registry": address}
    workspace.write_config({"base_image": {"docker_auth": auth}})
    with pytest.raises(ProblemError) as caught:
        load_config_folder(workspace.config)
    assert [p.field for p in caught.value.problems] == ["base_image.docker_auth.registry"]


@pytest.mark.parametrize(
    "value",
    ["x" * 199_990, ["x" * 100_000] * 2, "x\ny" * 60_000,
     {"a": {"b": {"c": {"d": {"e": {"f": {"g": ["x\n" * 9000]}}}}}}}],
    ids=["a text", "two texts", "lines", "lines that are indented"],
)  # fmt: skip
def test_a_config_larger_than_a_pod_can_carry_is_refused(workspace: Workspace, value: Any) -> None:
    (line,) = lines(workspace, f"{VALID}model_metadata: {{a: {json.dumps(value)}}}\n")
    assert re.match(r"config.yaml:1:1: the config has [2-9]\d\d,\d+ bytes; the limit is", line)


def test_no_more_than_a_thousand_mistakes_are_told(workspace: Workspace) -> None:
    found = lines(workspace, VALID + "".join(f"a{i}: 1\n" for i in range(1500)))
    assert len(found) == 1001
    last = "config.yaml:1:1: the file has 1,500 problems; 1,000 are listed; fix these first"
    assert found[-1] == last


def test_a_name_longer_than_any_domain_is_refused(workspace: Workspace) -> None:
    name = ".".join(["a" * 60] * 5)
    text = f"{VALID}runtime: {{egress_restrictions: {{fqdn_allow_list: [{name}]}}}}\n"
    assert [line.split(": ")[1] for line in lines(workspace, text)] == [
        "runtime.egress_restrictions.fqdn_allow_list[0]"
    ]
