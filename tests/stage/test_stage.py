"""The stage block: what it may say, and how it is found."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from support.stages import FORMS
from support.workspace import ROOT, Workspace, plans_of
from trussform import planning
from trussform.problem import ProblemError
from trussform.source import is_mapping
from trussform.stack_file import lock_file, read_stack
from trussform.stage import Stage


def complaints(workspace: Workspace, changes: dict[str, Any]) -> list[str]:
    with pytest.raises(ProblemError) as caught:
        read_stack(workspace.write_stack(changes))
    return [f"{p.field}: {p.message}" for p in caught.value.problems]


@pytest.mark.parametrize("name", ["local", "dev", "staging", "production"])
def test_the_sample_stages_are_read_and_planned(name: str) -> None:
    plans, problems = plans_of(read_stack(ROOT / f"stacks/Pulumi.{name}.yaml"))
    assert set(plans) == {"llama", "embeddings"}
    assert [problem for problem in problems if problem.level == "error"] == []


def test_what_stands_in_for_a_stage_is_one() -> None:
    """It is made without validation."""
    given = planning.ANY_STAGE.model_dump()
    assert Stage.model_validate(given).model_dump() == given


def test_dev_and_production_differ_where_environments_do() -> None:
    def llama(stack: str) -> dict[str, Any]:
        read = read_stack(ROOT / f"stacks/Pulumi.{stack}.yaml")
        plan = plans_of(read)[0]["llama"]
        embeddings = plans_of(read)[0]["embeddings"]
        assert embeddings.image.build is not None
        return {
            "gpu": plan.gpu.products,
            "replicas": plan.rollout.replicas,
            "command": plan.command.argv,
            "domain": plan.routes.domain,
            "registry": embeddings.image.build.registry,
        }

    dev, production = llama("dev"), llama("production")
    assert [key for key in dev if dev[key] == production[key]] == []


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"replicsa": 2}, "replicsa: unknown field"),
        ({"environment": "Dev_1"}, "environment: `Dev_1` is not a Kubernetes name"),
        ({"domain": "a..b"}, "domain: `a..b` is not a domain"),
        ({"replicas": -1}, "replicas: input should be greater than or equal to 0"),
        ({"auth": "maybe"}, "auth: `maybe` is not allowed"),
        (
            {
                "route": {
                    "kind": "ingress",
                    "controller": "haproxy",
                    "name": None,
                    "namespace": None,
                }
            },
            "route.controller: `haproxy` is not allowed",
        ),
        (
            {"digests": {"python:3.11": "sha256:beef"}},
            "digests.python:3.11: this is not a digest",
        ),
        (
            {"servers": {"server": {"image": "a/b:tag"}}},
            "servers.server.image: `a/b:tag` has no digest",
        ),
        ({"registry": "Not A Registry"}, "registry: the name of an image cannot have white space"),
        (
            {"render_to": "out"},
            ": `render_to` would write Pulumi's secrets to files",
        ),
    ],
)
def test_a_wrong_stage_is_refused(
    workspace: Workspace, changes: dict[str, Any], complaint: str
) -> None:
    assert any(text.startswith(complaint) for text in complaints(workspace, changes))


def test_a_stack_file_without_a_stage_says_what_to_add(workspace: Workspace) -> None:
    workspace.write_stack()
    workspace.stack.write_text("config: {}\n")
    with pytest.raises(ProblemError, match="the stack file has no `trussform:stage` block"):
        read_stack(workspace.stack)


def test_a_server_whose_folder_does_not_exist_is_told_at_the_stage(workspace: Workspace) -> None:
    workspace.write_config()
    stack = workspace.write_stack({"servers": {"ghost": {"path": "nowhere", "replicas": 2}}})
    _, (problem,) = plans_of(read_stack(stack))
    assert problem.field == "servers.ghost.path"
    assert problem.location.path == str(stack)
    assert problem.message.startswith("there is no config.yaml at")


def test_two_servers_of_one_name_are_refused(workspace: Workspace) -> None:
    workspace.write_stack()
    text = workspace.stack.read_text()
    workspace.stack.write_text(text + "      server:\n        path: other\n")
    with pytest.raises(ProblemError, match="duplicate key"):
        read_stack(workspace.stack)


def test_two_folders_of_one_name_are_refused(workspace: Workspace) -> None:
    stack = read_stack(workspace.write_stack())
    with pytest.raises(ProblemError, match="already has the name `b`"):
        planning.plan_stack(stack, [Path("x/b"), Path("y/b")])


def test_a_path_outside_the_stack_gets_the_stages_defaults(workspace: Workspace) -> None:
    other = workspace.write_config().parent.rename(workspace.folder / "other")
    stack = workspace.write_stack({"replicas": 3, "servers": {"server": {"replicas": 1}}})
    plans, _ = plans_of(read_stack(stack), [other])
    assert plans["other"].rollout.replicas == 3


def test_a_path_of_a_server_of_the_stack_keeps_its_name_and_overrides(
    workspace: Workspace,
) -> None:
    path = workspace.write_config()
    stack = workspace.write_stack({"servers": {"server": {"replicas": 4}}})
    plans, _ = plans_of(read_stack(stack), [path])
    assert plans["server"].rollout.replicas == 4


def test_the_lock_file_gives_the_digests(workspace: Workspace) -> None:
    digest = "sha256:" + "a" * 64
    stack = workspace.write_stack({"tags": "locked"})
    lock_file(stack).write_text(f"digests: {{'python:3.11-slim': '{digest}'}}\n")
    workspace.write_config()
    plans, problems = plans_of(read_stack(stack))
    assert plans["server"].digest.reference == f"python@{digest}"
    assert problems == []


def test_a_folder_of_a_staged_servers_name_is_another_server(workspace: Workspace) -> None:
    workspace.write_config()
    stack = read_stack(workspace.write_stack({"servers": {"server": {"replicas": 7}}}))
    with pytest.raises(ProblemError, match="already has the name `server`"):
        planning.plan_stack(stack, [workspace.folder / "elsewhere" / "server"])


def test_a_path_stands_for_every_server_that_uses_it(workspace: Workspace) -> None:
    path = workspace.write_config()
    stack = workspace.write_stack({"servers": {"second": {"path": "server"}}})
    assert planning.plan_stack(read_stack(stack), [path]).paths.keys() == {"server", "second"}


def test_mistakes_of_stage_and_configs_are_told_at_once(workspace: Workspace) -> None:
    workspace.write_config({"oops": 1})
    with pytest.raises(ProblemError) as caught:
        read_stack(workspace.write_stack({"replicas": "x"}))
    assert {problem.field for problem in caught.value.problems} == {"replicas", "oops"}


@pytest.mark.parametrize(
    "changes",
    [{"secrets": {"hf": "hf_abc123XYZ"}}, {"secrets": "hf_abc123XYZ"}, {"auth": "sk-abc123XYZ"}],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(
    workspace: Workspace, changes: dict[str, Any]
) -> None:
    with pytest.raises(ProblemError) as caught:
        read_stack(workspace.write_stack(changes))
    assert "abc123XYZ" not in str(caught.value)


def test_a_stack_file_is_found_from_its_own_folder(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.write_config()
    stack = workspace.write_stack()
    monkeypatch.chdir(stack.parent)
    plans, problems = plans_of(read_stack(Path(stack.name)))
    assert (set(plans), problems) == ({"server"}, [])


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ({"route": {"kind": "ingress", "controler": "traefik"}}, "did you mean `controller`?"),
        ({"servers": {"server": {"replica": 1}}}, "did you mean `replicas`?"),
        ({"deadlines": {"startup_": 1}}, "did you mean `startup`?"),
    ],
)
def test_a_misspelt_field_is_recognized_wherever_it_stands(
    workspace: Workspace, part: dict[str, Any], names: str
) -> None:
    with pytest.raises(ProblemError) as caught:
        read_stack(workspace.write_stack(part))
    assert names in {problem.fix for problem in caught.value.problems}


def test_a_secret_value_in_the_stage_is_refused_at_its_line(workspace: Workspace) -> None:
    workspace.write_config()
    variables = {"environment_variables": {"TOKEN": {"secure": "v1:abc"}}}
    with pytest.raises(ProblemError) as caught:
        read_stack(workspace.write_stack({"servers": {"server": {"config": variables}}}))
    (problem,) = caught.value.problems
    assert problem.field == "servers.server.config.environment_variables.TOKEN"
    assert problem.message == "the stage must not contain a secret"
    assert problem.location.line > 1


def test_secrets_are_known_by_name_plain_ones_are_told_and_odd_ones_refused(
    workspace: Workspace,
) -> None:
    workspace.write_config({"secrets": {"a": None, "b": None, "c": None}})
    secrets = {"a": {"secure": "v1:x"}, "b": "in-plain", "c": {"nested": "x"}}
    _, problems = plans_of(read_stack(workspace.write_stack(**{"trussform:secrets": secrets})))
    assert [(p.field, p.level) for p in problems] == [
        ("trussform:secrets.b", "warning"),
        ("trussform:secrets.c", "error"),
    ]
    whole = {"trussform:secrets": {"secure": "v1:x"}}
    assert plans_of(read_stack(workspace.write_stack(**whole)))[1] == []


def test_an_override_that_deletes_nothing_is_a_warning(workspace: Workspace) -> None:
    _, (problem,) = workspace.plan(
        None, {"servers": {"server": {"config": {"secrets": {"token": None}}}}}
    )
    assert (problem.level, problem.field) == ("warning", "secrets.token")
    assert Path(problem.location.path).name == "Pulumi.dev.yaml"


def test_digests_of_the_stage_go_before_those_of_the_lock_file(workspace: Workspace) -> None:
    locked, mine = "sha256:" + "a" * 64, "sha256:" + "b" * 64
    stack = workspace.write_stack({"tags": "locked", "digests": {"python:3.11-slim": mine}})
    lock_file(stack).write_text(f"digests: {{'python:3.11-slim': '{locked}'}}\n")
    workspace.write_config()
    plans, _ = plans_of(read_stack(stack))
    assert plans["server"].digest.digest == mine


@pytest.mark.parametrize("namespace", [{"create_namespace": False}, {"namespace": "default"}])
def test_a_namespace_is_made_only_where_the_stage_says(
    workspace: Workspace, namespace: dict[str, Any]
) -> None:
    assert workspace.plan()[0].namespace.create
    assert not workspace.plan(None, namespace)[0].namespace.create


@pytest.mark.parametrize(
    "changes",
    [
        {"render_to": ""},
        {"gpu": {"products": {"L44": ["a"]}}},
        {"gpu": {"products": {"L4": ["has space"]}}},
        {"[key]": 1},
        {"servers": {"": {"path": "server"}}},
        {"auth": {"kind": "api-key", "keys": ["DOCKER_REGISTRY_example.com:5000/a"]}},
        {"auth": {"kind": "api-key", "keys": [""]}},
        {"secrets": {"store": "vault", "refresh": "99999999999h"}},
        {"gpu": {"resource": "gpu"}},
        {"gpu": {"resource": "device.kubernetes.io/gpu"}},
        {"gpu": {"label": f"{'a.' * 130}a/gpu"}},
        {"weights": {"storage": {"kind": "node", "path": "/data/../etc"}}},
        {"weights": {"storage": {"kind": "node", "path": "data"}}},
    ],
)
def test_odd_values_are_refused(workspace: Workspace, changes: dict[str, Any]) -> None:
    assert complaints(workspace, changes)


INGRESS = "route: {kind: ingress, controller: traefik, tls: {"
FORWARD = "auth: {kind: forward, service: a, namespace: b, "


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("auth: 3", "11: auth: expected fields and values, found a number; write `name: value`"),
        ("auth: maybe", "11: auth: `maybe` is not allowed; use one of 'none'"),
        ("auth: {}", "11: auth: the field `kind` is missing; add `kind: …` here"),
        ("auth: {kind: keys}", "18: auth.kind: `keys` is not allowed; use one of 'api-key', 'forw"),
        (
            "auth: {kind: api-key}",
            "11: auth: `auth` needs either `keys` or `existing`; write either `keys: [",
        ),
        (
            "auth: {kind: api-key, keys: [ci], existing: keys}",
            "11: auth: `auth` needs either `keys`",
        ),
        ("auth: {kind: api-key, keys: [ci, ci]}", "11: auth: `keys` lists a client twice"),
        ("auth: {kind: api-key, kyes: [ci]}", "27: auth.kyes: unknown field; did you mean `keys`?"),
        ("auth: {kind: api-key, keys: ci}", "33: auth.keys: expected a list, found text; write"),
        ("auth: {kind: api-key, keys: []}", "33: auth.keys: list should have at least 1 item"),
        (
            "auth: {kind: api-key, keys: [a b]}",
            "34: auth.keys[0]: `a b` is not a name for a secret;",
        ),
        ("auth: {kind: api-key, existing: A}", "37: auth.existing: `A` is not a Kubernetes name;"),
        ("auth: {kind: forward, service: a}", "5: auth.namespace: required field is missing; add"),
        (FORWARD + "servce: a}", "53: auth.servce: unknown field; did you mean `service`?"),
        (FORWARD + "port: 0}", "59: auth.port: input should be greater than or equal to 1; change"),
        (FORWARD + "path: verify}", "59: auth.path: `verify` is not a plain path; write it as in"),
        (FORWARD + "path: /a?b}", "59: auth.path: `/a?b` is not a plain path; write it as in /ve"),
        (
            FORWARD + "headers: [X User]}",
            "63: auth.headers[0]: `X User` is not the name of a header; w",
        ),
        (
            "route: {kind: gateway, controller: envoy}",
            "40: route.controller: `envoy` is not allowed; use one of 'envoy-gateway', 'trae",
        ),
        (INGRESS + "isuer: a}}", "55: route.tls.isuer: unknown field; did you mean `issuer`?"),
        (
            INGRESS + "issuer: a, issuer_knd: Issuer}}",
            "66: route.tls.issuer_knd: unknown field; did",
        ),
        (
            INGRESS + "issuer: a, issuer_kind: x}}",
            "79: route.tls.issuer_kind: `x` is not allowed; u",
        ),
        (INGRESS + "issuer: a, secret: b}}", "66: route.tls.secret: unknown field; remove it, or"),
        (INGRESS + "}}", "49: route.tls.secret: required field is missing; add `secret: …` here"),
        ("route: {kind: gateway, tls: {secret: a}}", "28: route.tls: unknown field; remove it"),
        (
            "ingress_from: gateway",
            "19: ingress_from: expected a list, found text; write the items as lines that",
        ),
        (
            "ingress_from: [gateway]",
            "20: ingress_from[0]: expected fields and values, found text; write `name",
        ),
        (
            "ingress_from: [{namespce: a}]",
            "21: ingress_from[0].namespce: unknown field; did you mean `namespace`",
        ),
        (
            "ingress_from: [{addres: 10.0.0.0/8}]",
            "21: ingress_from[0].addres: unknown field;",
        ),
        (
            "ingress_from: [{cidr: 10.0.0/8}]",
            "27: ingress_from[0].cidr: `10.0.0/8` is not an IP address or a range;",
        ),
        (
            "ingress_from: [{cidr: 10}]",
            "27: ingress_from[0].cidr: expected text, found a number; put the",
        ),
        (
            "ingress_from: [{namespace: a, cidr: 10.0.0.0/8}]",
            "21: ingress_from[0].namespace: unknown field;",
        ),
        ("secrets: vault", "14: secrets: `vault` is not allowed; use one of 'pulumi'"),
        ("secrets: [a]", "14: secrets: expected fields and values, found a list; write `name: val"),
        ("secrets: {stor: a}", "15: secrets.stor: unknown field; did you mean `store`?"),
        ("secrets: {store: a, refrsh: 1h}", "25: secrets.refrsh: unknown field; did you mean `ref"),
        (
            "secrets: {store: a, refresh: hourly}",
            "34: secrets.refresh: string should match pattern",
        ),
        ("secrets: {store: a, path: a b}", "31: secrets.path: string should match pattern"),
        ("secrets: {store: a, existing: b}", "25: secrets.existing: unknown field; remove it, or"),
    ],
)
def test_mistakes_in_who_gets_in_are_told_at_their_place(
    workspace: Workspace, line: str, complaint: str
) -> None:
    workspace.stack.parent.mkdir()
    workspace.stack.write_text(f"config:\n  trussform:stage:\n    environment: dev\n    {line}\n")
    with pytest.raises(ProblemError) as caught:
        read_stack(workspace.stack)
    told = [str(problem).removeprefix(f"{workspace.stack}:4:") for problem in caught.value.problems]
    assert [text for text in told if text.startswith(complaint)], told
    assert all("; " in text for text in told)


def test_addresses_are_ranges_and_an_auth_path_is_a_path() -> None:
    stage = Stage.model_validate(
        {
            "environment": "dev",
            "ingress_from": [{"cidr": "10.1.2.3/8"}, {"cidr": "2001:db8::1"}, {"namespace": "a"}],
            "auth": {"kind": "forward", "service": "a", "namespace": "b", "path": "/a.b/_c~"},
        }
    )
    assert [peer.model_dump() for peer in stage.ingress_from or ()] == [
        {"cidr": "10.0.0.0/8"},
        {"cidr": "2001:db8::1/128"},
        {"namespace": "a"},
    ]


def test_the_command_for_a_secret_has_its_name_as_one_word(workspace: Workspace) -> None:
    workspace.write_config()
    names = ["plain-name", "a.b", "'; id; '", '"; id; "', "$(id) `id`", "é b"]
    stack = workspace.write_stack(**{"trussform:secrets": dict.fromkeys(names, "in plain")})
    _, problems = plans_of(read_stack(stack))
    paths = {shlex.split(problem.fix.removeprefix("run: "))[-1] for problem in problems}
    assert paths == {
        "trussform:secrets.plain-name",
        'trussform:secrets["a.b"]',
        """trussform:secrets["'; id; '"]""",
        r"""trussform:secrets["\"; id; \""]""",
        'trussform:secrets["$(id) `id`"]',
        'trussform:secrets["é b"]',
    }


def test_the_apiserver_is_asked_about_every_field_of_a_stage() -> None:
    def keys(value: object) -> Iterator[str]:
        if is_mapping(value):
            for key, part in value.items():
                yield key
                yield from keys(part)
        elif isinstance(value, list):
            for part in cast(list[object], value):
                yield from keys(part)

    schema = Stage.model_json_schema()
    models = [schema, *schema["$defs"].values()]
    fields = {field for model in models for field in model.get("properties", {})}
    by_the_workspace = {"environment", "domain", "registry"}
    assert fields - set(keys(FORMS)) == {*by_the_workspace, "render_to"}


@pytest.mark.parametrize(
    ("autoscaling", "complaint"),
    [
        ({"min_replica": -1}, "autoscaling.min_replica: "),
        ({"max_replica": 0}, "autoscaling.max_replica: "),
        ({"autoscaling_window": 9}, "autoscaling.autoscaling_window: "),
        ({"autoscaling_window": 3601}, "autoscaling.autoscaling_window: "),
        ({"scale_down_delay": 3601}, "autoscaling.scale_down_delay: "),
        ({"max_scale_down_rate": 51}, "autoscaling.max_scale_down_rate: "),
        ({"target_utilization_percentage": 0}, "autoscaling.target_utilization_percentage: "),
        ({"target_utilization_percentage": 101}, "autoscaling.target_utilization_percentage: "),
        ({"prometheus": "prometheus:9090"}, "autoscaling.prometheus: the URL has no scheme"),
        ({"triggers": [{"metadata": {"a": "b"}}]}, "autoscaling.triggers: a trigger has no `type`"),
        ({"triggers": [{"type": "cpu"}]}, "autoscaling.triggers: a trigger has no `type`"),
        (
            {"triggers": [{"type": "cron", "metadata": {"desiredReplicas": 2}}]},
            "autoscaling.triggers: KEDA takes text in `metadata`",
        ),
        ({"target_in_flight_tokens": 5}, "autoscaling.target_in_flight_tokens: no gateway and no "),
        ({"min_replicas": 1}, "autoscaling.min_replicas: unknown field"),
    ],
)
def test_autoscaling_has_the_bounds_of_baseten(
    workspace: Workspace, autoscaling: dict[str, Any], complaint: str
) -> None:
    (found,) = complaints(workspace, {"autoscaling": autoscaling})
    assert found.startswith(complaint)


def test_two_settings_cannot_own_the_number_of_replicas(workspace: Workspace) -> None:
    both = {"replicas": 2, "autoscaling": {"min_replica": 1}}
    (found,) = complaints(workspace, both)
    assert "`replicas` and `autoscaling` both set the number of pods" in found
    (found,) = complaints(workspace, {"servers": {"server": {"path": "server", **both}}})
    assert found.startswith("servers.server: `replicas` and `autoscaling` both set")
