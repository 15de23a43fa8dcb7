"""The other decisions, each by what a user relies on."""

# pyright: reportMissingTypeStubs=false

from collections.abc import Callable
from typing import Any, get_args

import pytest
import yaml
from support.workspace import CONFIG, STAGE, Workspace, plan_of, plans_of
from truss.base.constants import TRUSS_BASE_IMAGE_NAME
from truss.base.truss_config import Accelerator
from truss.contexts.image_builder.util import TRUSS_BASE_IMAGE_VERSION_TAG, truss_base_image_tag
from trussform import stack_file
from trussform.config import Config
from trussform.config.instances import ACCELERATORS
from trussform.plan import Plan
from trussform.plan.gpu_labels import ABSENT, PRODUCTS
from trussform.stage import Dialect, Stage

MakePlan = Callable[..., Plan]
DIGEST = "sha256:" + "0" * 64


def test_nothing_to_install_needs_no_build(plan: MakePlan) -> None:
    assert plan().image.build is None


@pytest.mark.parametrize(
    "config",
    [{"requirements": ["six"]}, {"system_packages": ["ffmpeg"]}, {"build_commands": ["true"]}],
)
def test_what_changes_a_file_needs_a_build(plan: MakePlan, config: dict[str, Any]) -> None:
    assert plan(config).image.build is not None


@pytest.mark.parametrize(
    "config",
    [
        {"docker_server": {"start_command": "other"}},
        {"environment_variables": {"A": "1"}},
        {"docker_server": {"server_port": 9000}},
        {"secrets": {"token": None}},
    ],
)
def test_what_changes_no_file_builds_the_same_image(plan: MakePlan, config: dict[str, Any]) -> None:
    first = plan({"requirements": ["six"]}).image
    assert plan({"requirements": ["six"], **config}).image == first


def test_a_folder_beside_the_config_needs_a_build(plan: MakePlan, workspace: Workspace) -> None:
    workspace.write_config()
    (workspace.folder / "server" / "data").mkdir()
    made = plan().image.build
    assert made is not None
    assert [(f.path, f.place) for f in made.folders] == [
        (workspace.folder / "server" / "data", "/app/data")
    ]


def test_no_build_wins_over_requirements(plan: MakePlan) -> None:
    made = plan({"requirements": ["six"], "docker_server": {"no_build": True}})
    assert made.image.build is None


def test_a_tag_is_looked_up_and_a_digest_is_not(plan: MakePlan) -> None:
    assert plan().digest.look_up
    pinned = plan({"base_image": {"image": f"python@{DIGEST}"}}).digest
    assert (pinned.look_up, pinned.reference) == (False, f"python@{DIGEST}")


def test_a_tag_beside_a_digest_is_dropped(plan: MakePlan) -> None:
    made = plan({"base_image": {"image": f"python:3@{DIGEST}"}})
    assert made.digest.reference == f"python@{DIGEST}"


def test_locked_tags_without_a_lock_stop_only_an_up(workspace: Workspace) -> None:
    made, (problem,) = workspace.plan(None, {"tags": "locked"})
    assert problem.level == "blocks-deploy"
    assert not made.digest.look_up


def test_a_build_needs_a_registry(workspace: Workspace) -> None:
    _, (problem,) = workspace.plan({"requirements": ["six"]}, {"registry": None})
    assert (problem.level, problem.field) == ("error", "registry")


def test_builder_none_runs_the_named_image_and_refuses_to_guess_one(workspace: Workspace) -> None:
    config = {"requirements": ["six"]}
    _, (problem,) = workspace.plan(config, {"builder": "none"})
    assert (problem.level, problem.field) == ("error", "servers.server.image")
    named = {"builder": "none", "servers": {"server": {"image": f"a/b@{DIGEST}"}}}
    made, problems = workspace.plan(config, named)
    assert (made.digest.name, problems) == (f"a/b@{DIGEST}", [])


def test_images_for_arm_gpus_are_built_for_arm(plan: MakePlan) -> None:
    def platform(accelerator: str) -> str:
        config = {"requirements": ["six"], "resources": {"accelerator": accelerator}}
        build = plan(config).image.build
        assert build is not None
        return build.platform

    assert platform("L4") == "linux/amd64"
    assert platform("GB300") == "linux/arm64"


def test_probes_follow_the_configs_thresholds(plan: MakePlan) -> None:
    checks = {
        "startup_threshold_seconds": 95,
        "stop_traffic_threshold_seconds": 20,
        "restart_threshold_seconds": 30,
        "restart_check_delay_seconds": 7,
    }
    probes = plan({"runtime": {"health_checks": checks}}).probes
    assert (probes.startup.path, probes.startup.failures) == ("/ready", 96)
    assert (probes.readiness.path, probes.readiness.failures) == ("/ready", 2)
    assert (probes.liveness.path, probes.liveness.failures, probes.liveness.delay) == (
        "/live",
        3,
        7,
    )


def test_a_start_may_take_half_an_hour_by_default(plan: MakePlan) -> None:
    startup = plan().probes.startup
    assert (startup.failures - 1) * startup.period == 1800


@pytest.mark.parametrize(
    ("dialect", "label", "product"),
    [
        ("gpu-feature-discovery", "nvidia.com/gpu.product", "NVIDIA-L4"),
        ("gke", "cloud.google.com/gke-accelerator", "nvidia-l4"),
        ("karpenter", "karpenter.k8s.aws/instance-gpu-name", "l4"),
        ("eks", "node.kubernetes.io/instance-type", "g6.12xlarge"),
    ],
)
def test_the_gpu_is_looked_for_in_the_clusters_words(
    plan: MakePlan, dialect: str, label: str, product: str
) -> None:
    made = plan({"resources": {"accelerator": "L4:2"}}, {"gpu": {"dialect": dialect}}).gpu
    assert (made.label, made.per_pod) == (label, 2)
    assert product in made.products


def test_a_clusters_own_label_needs_its_own_values(workspace: Workspace) -> None:
    config = {"resources": {"accelerator": "L4"}}
    _, (problem,) = workspace.plan(config, {"gpu": {"label": "gpu"}})
    assert (problem.level, problem.field) == ("error", "resources.accelerator")
    made, problems = workspace.plan(config, {"gpu": {"label": "gpu", "products": {"L4": ["l4"]}}})
    assert (made.gpu.label, made.gpu.products, problems) == ("gpu", ("l4",), [])


def config_with(accelerator: str) -> Config:
    data: dict[str, Any] = {
        "base_image": {"image": "a"},
        "docker_server": {
            "start_command": "a",
            "server_port": 1,
            "predict_endpoint": "/",
            "readiness_endpoint": "/",
            "liveness_endpoint": "/",
        },
        "resources": {"accelerator": accelerator},
    }
    return Config.model_validate(data)


@pytest.mark.parametrize("dialect", get_args(Dialect))
def test_every_accelerator_of_truss_has_labels_or_a_reason_why_not(dialect: Dialect) -> None:
    assert {accelerator.value for accelerator in Accelerator} == set(ACCELERATORS)
    stage = Stage.model_validate({"environment": "dev", "gpu": {"dialect": dialect}})
    for name in ACCELERATORS:
        made = plan_of(config_with(name), stage).gpu
        if made.products:
            assert made.problems == ()
            assert name not in ABSENT[dialect]
        else:
            (problem,) = made.problems
            assert problem.message.endswith(f": {ABSENT[dialect][name]}")
    assert PRODUCTS[dialect].keys() | ABSENT[dialect].keys() <= set(ACCELERATORS)


@pytest.mark.parametrize("dialect", get_args(Dialect))
def test_no_label_stands_for_two_accelerators(dialect: Dialect) -> None:
    labels = [label for labels in PRODUCTS[dialect].values() for label in labels]
    assert len(labels) == len(set(labels))


def test_karpenter_tells_the_sizes_of_the_a100_by_their_instances(plan: MakePlan) -> None:
    stage = {"gpu": {"dialect": "karpenter"}}
    made = {
        name: plan({"resources": {"accelerator": name}}, stage).gpu
        for name in ("A100", "A100_40GB")
    }
    assert {gpu.label for gpu in made.values()} == {"node.kubernetes.io/instance-type"}
    assert made["A100"].products == ("p4de.24xlarge",)
    assert made["A100_40GB"].products == ("p4d.24xlarge",)


def test_a_missing_secret_stops_only_an_up_and_names_the_command(workspace: Workspace) -> None:
    _, (problem,) = workspace.plan({"secrets": {"token": None}})
    assert problem.level == "blocks-deploy"
    assert problem.fix == "run: pulumi config set --secret --path 'trussform:secrets.token'"


def test_a_secret_that_is_read_and_not_declared_is_a_warning(workspace: Workspace) -> None:
    command = {"docker_server": {"start_command": "sh -c 'cat /secrets/token'"}}
    made, (problem,) = workspace.plan(command)
    assert (problem.level, made.secrets.any) == ("warning", False)
    made, _ = workspace.plan(command, {"secrets": {"existing": "mine"}})
    assert (made.secrets.undeclared, made.secrets.secret) == (("token",), "mine")


def test_routes_are_basetens(plan: MakePlan) -> None:
    rules = plan().routes.rules
    assert [(rule.match, rule.paths, rule.rewrite) for rule in rules] == [
        ("exact", ("/environments/dev/predict",), "/predict"),
        ("prefix", ("/environments/dev/sync",), "/"),
    ]


@pytest.mark.parametrize(
    ("environment", "bases"),
    [
        ("production", ["/environments/production", "/production", ""]),
        ("development", ["/environments/development", "/development"]),
        ("staging", ["/environments/staging"]),
    ],
)
def test_production_and_development_have_basetens_short_paths(
    plan: MakePlan, environment: str, bases: list[str]
) -> None:
    made = plan(
        {"runtime": {"transport": {"kind": "websocket"}}}, {"environment": environment}
    ).routes
    assert {rule.name: rule.paths for rule in made.rules} == {
        end: tuple(f"{base}/{end}" for base in bases) for end in ("predict", "sync", "websocket")
    }
    assert made.predict_path == f"/environments/{environment}/predict"
    assert made.sync_path == f"/environments/{environment}/sync"


@pytest.mark.parametrize(
    "runtime", [{"transport": {"kind": "websocket"}}, {"is_websocket_endpoint": True}]
)
def test_a_websocket_server_has_its_own_path(plan: MakePlan, runtime: dict[str, Any]) -> None:
    paths = [path for rule in plan({"runtime": runtime}).routes.rules for path in rule.paths]
    assert "/environments/dev/websocket" in paths


def test_a_grpc_server_is_asked_by_its_health_service_and_its_calls_go_through(
    workspace: Workspace,
) -> None:
    made, problems = workspace.plan({"runtime": {"transport": {"kind": "grpc"}}})
    assert [(problem.level, problem.field) for problem in problems] == [
        ("warning", "route"),
        ("warning", "runtime.transport.kind"),
    ]
    probes = made.probes
    assert {probes.startup.path, probes.readiness.path, probes.liveness.path} == {None}
    assert (made.routes.rules, made.routes.predict_path, made.routes.sync_path) == ((), "", "")
    assert str(made.routes) == "Gateway: every gRPC call to the host"
    assert "startup: grpc.health.v1 within" in str(probes)


def test_a_grpc_route_has_no_timeout_and_needs_what_every_route_needs(
    workspace: Workspace,
) -> None:
    grpc = {"runtime": {"transport": {"kind": "grpc"}}}
    made, _ = workspace.plan(grpc, {"request_timeout": 90})
    assert made.routes.timeout is None
    _, problems = workspace.plan(grpc, {"auth": None, "domain": None})
    assert [p.field for p in problems if p.level == "error"] == ["domain", "auth"]


def test_a_websocket_server_is_asked_for_its_health_by_http(plan: MakePlan) -> None:
    made = plan({"runtime": {"transport": {"kind": "websocket"}}})
    assert (made.probes.readiness.path, made.routes.protocol) == ("/ready", "http")


def test_grpc_by_ingress_nginx_wants_tls(workspace: Workspace) -> None:
    route = {"kind": "ingress", "controller": "nginx", "scheme": "http"}
    stage = {**STAGE, "route": route, "servers": {"server": {"path": "server"}}}
    workspace.write_config({"runtime": {"transport": {"kind": "grpc"}}})
    workspace.write_stack()
    workspace.stack.write_text(yaml.safe_dump({"config": {"trussform:stage": stage}}))
    _, problems = plans_of(stack_file.read_stack(workspace.stack))
    errors = [problem for problem in problems if problem.level == "error"]
    assert [problem.field for problem in errors] == ["route.scheme"]
    (warning,) = [problem for problem in problems if problem.field == "route.controller"]
    assert (warning.level, "sends nothing for 60 s" in warning.message) == ("warning", True)


@pytest.mark.parametrize(
    ("stage", "field"),
    [
        ({"auth": None}, "auth"),
        ({"domain": None}, "domain"),
        ({"route": {"name": None}}, "route.name"),
    ],
)
def test_a_route_needs_a_host_a_gateway_and_a_word_on_access(
    workspace: Workspace, stage: dict[str, Any], field: str
) -> None:
    _, (problem,) = workspace.plan(None, stage)
    assert (problem.level, problem.field) == ("error", field)


def test_without_a_route_nothing_of_it_is_needed(workspace: Workspace) -> None:
    workspace.write_config()
    stage = {"environment": "dev", "route": {"kind": "none"}, "servers": {"s": {"path": "server"}}}
    workspace.stack.parent.mkdir()
    workspace.stack.write_text(yaml.safe_dump({"config": {"trussform:stage": stage}}))
    plans, problems = plans_of(stack_file.read_stack(workspace.stack))
    assert (plans["s"].routes.rules, problems) == ((), [])


@pytest.mark.parametrize(
    ("instance", "gpus", "cpu", "memory"),
    [
        ("H100", ("H100", 1), "16", "118Gi"),
        ("H100:8", ("H100", 8), "128", "944Gi"),
        ("L4:4x16", ("L4", 1), "4", "16Gi"),
        ("A10G:2x24x96", ("A10G", 2), "24", "94Gi"),
        ("A10Gx8x32", ("A10G", 1), "8", "32Gi"),
        ("H100MIG", ("H100_40GB", 1), "8", "59Gi"),
        ("RTX-PRO-6000:4", ("RTX_PRO_6000", 4), "64", "466Gi"),
        ("A100_40GB:2x24x290", ("A100_40GB", 2), "24", "290Gi"),
        ("1x2", None, "1", "2Gi"),
    ],
)
def test_an_instance_type_goes_before_the_other_resources(
    plan: MakePlan, instance: str, gpus: tuple[str, int] | None, cpu: str, memory: str
) -> None:
    resources = {"instance_type": instance, "accelerator": "T4:4", "cpu": "9", "memory": "9Gi"}
    made = plan({"resources": resources})
    assert (made.resources.cpu, made.resources.memory) == (cpu, memory)
    assert made.gpu.per_pod == (gpus[1] if gpus else 0)
    assert gpus is None or made.gpu.why.startswith(gpus[0])


def test_an_instance_type_that_says_nothing_is_an_error(workspace: Workspace) -> None:
    (problem,) = workspace.plan({"resources": {"instance_type": "big"}})[1]
    assert (problem.field, problem.level) == ("resources.instance_type", "error")


def test_an_unknown_instance_type_shows_near_names(workspace: Workspace) -> None:
    (problem,) = workspace.plan({"resources": {"instance_type": "a10gx8x3"}})[1]
    assert problem.level == "error"
    assert "`A10Gx8x32`" in problem.fix


def test_a_machine_of_unknown_size_gets_a_warning(workspace: Workspace) -> None:
    made, problems = workspace.plan({"resources": {"instance_type": "L40S:2"}})
    assert made.gpu.per_pod == 2
    (problem,) = problems
    assert (problem.level, problem.field) == ("warning", "resources.instance_type")


def test_a_config_without_a_base_image_runs_on_trusss_own(workspace: Workspace) -> None:
    config = {**CONFIG, "python_version": "py312", "resources": {"accelerator": "L4"}}
    del config["base_image"]
    workspace.write_config(yaml.safe_dump(config))
    plans, _ = plans_of(stack_file.read_stack(workspace.write_stack()))
    base = truss_base_image_tag("3.12", True, TRUSS_BASE_IMAGE_VERSION_TAG)
    assert plans["server"].digest.name == f"{TRUSS_BASE_IMAGE_NAME}:{base}"


def test_only_an_up_stops_at_a_placeholder(workspace: Workspace) -> None:
    made, problems = workspace.plan({"base_image": {"image": "<your-registry>/server:v1"}})
    assert [problem.level for problem in problems] == ["blocks-deploy"]
    assert "`<your-registry>/server:v1` contains a placeholder" in problems[0].message
    assert not made.digest.look_up


def test_no_name_that_a_command_reads_leaves_the_folder_of_secrets(plan: MakePlan) -> None:
    command = {
        "docker_server": {"start_command": "sh -c 'cat /secrets/..a /secrets/../b /secrets/c'"}
    }
    assert plan(command, {"secrets": {"existing": "mine"}}).secrets.undeclared == ("c",)
