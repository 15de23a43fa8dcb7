"""The number of replicas that follows the load: its metric, its bounds and its consequences."""

from typing import Any

import pytest
from support.workspace import Workspace, deployment
from trussform.cli.render import objects
from trussform.manifests import Manifest
from trussform.plan import Plan

PROMETHEUS = "http://prometheus.monitoring.svc:9090"
ENVOY = {"kind": "gateway", "name": "public", "controller": "envoy-gateway"}
VLLM = {"docker_server": {"start_command": "vllm serve model --port 8000"}}
CPU = {"value": "80"}
GPU = {"resources": {"accelerator": "L4:2"}}


@pytest.fixture
def told(workspace: Workspace) -> Any:
    """Returns the plan of a stage with this autoscaling, and its problems as text."""

    def make(
        autoscaling: dict[str, Any], config: dict[str, Any] | None = None, **stage: Any
    ) -> tuple[Plan, list[str]]:
        plan, problems = workspace.plan(config, {"autoscaling": autoscaling, **stage})
        return plan, [f"{p.level}: {p.field}: {p.message}; {p.fix}" for p in problems]

    return make


def made(plan: Plan, kind: str) -> list[Manifest]:
    return [manifest for manifest in objects(plan) if manifest["kind"] == kind]


def test_without_it_there_is_no_object_of_keda(workspace: Workspace) -> None:
    plan, _ = workspace.plan()
    assert str(plan.autoscaling) == "none"
    assert {manifest["apiVersion"] for manifest in objects(plan)} == {
        "apps/v1", "v1", "gateway.networking.k8s.io/v1",
    }  # fmt: skip


def test_the_defaults_are_those_of_baseten(told: Any) -> None:
    plan, problems = told({})
    decided = plan.autoscaling
    assert (decided.minimum, decided.maximum) == (0, 1)
    assert (decided.window, decided.delay, decided.rate) == (60, 900, 50)
    # 70 % of one request is none, and the add-on counts whole ones.
    assert decided.target == 1
    assert problems == []


@pytest.mark.parametrize(
    ("autoscaling", "config", "stage", "metric"),
    [
        ({}, {}, {}, "interceptor"),
        ({"prometheus": PROMETHEUS}, {}, {"route": ENVOY}, "interceptor"),
        ({"min_replica": 1, "prometheus": PROMETHEUS}, {}, {"route": ENVOY}, "gateway"),
        ({"min_replica": 1, "prometheus": PROMETHEUS}, VLLM, {"route": ENVOY}, "gateway"),
        ({"min_replica": 1, "prometheus": PROMETHEUS}, VLLM, {}, "server"),
        ({"min_replica": 1, "prometheus": PROMETHEUS}, VLLM, {"route": {"kind": "none"}}, "server"),
        ({"min_replica": 1, "prometheus": PROMETHEUS}, {}, {}, "interceptor"),
        ({"min_replica": 1}, VLLM, {"route": ENVOY}, "interceptor"),
        ({"min_replica": 1, "triggers": [{"type": "cpu", "metadata": CPU}]}, {},
         {"route": {"kind": "none"}}, "triggers"),
    ],
)  # fmt: skip
def test_the_stage_says_where_the_load_is_known(
    told: Any,
    autoscaling: dict[str, Any],
    config: dict[str, Any],
    stage: dict[str, Any],
    metric: str,
) -> None:
    plan, problems = told({"max_replica": 2, **autoscaling}, config, **stage)
    assert plan.autoscaling.metric == metric
    assert [text for text in problems if text.startswith("error")] == []


def test_a_target_is_a_share_of_the_concurrency(told: Any) -> None:
    config = {"runtime": {"predict_concurrency": 128}}
    plan, _ = told({}, config)
    assert plan.autoscaling.target == 90
    assert "a replica is added from 90 requests each on (70 % of 128)" in plan.autoscaling.why
    plan, _ = told({"concurrency_target": 10, "target_utilization_percentage": 50}, config)
    assert plan.autoscaling.target == 5
    by_metrics = {"min_replica": 1, "max_replica": 2, "prometheus": PROMETHEUS}
    plan, _ = told(by_metrics, config, route=ENVOY)
    assert plan.autoscaling.target == pytest.approx(89.6)


def test_the_plan_says_what_it_costs_and_how_long_a_request_waits(told: Any) -> None:
    deadlines = {"provisioning": 100, "pull": 50, "startup": 200}
    plan, _ = told({"max_replica": 3}, GPU, deadlines=deadlines)
    assert "; 6 GPUs at most, and pods without a GPU stay Pending" in plan.autoscaling.why
    assert plan.autoscaling.wait == 100 + plan.rollout.until_ready + 60
    assert f"a request waits {plan.autoscaling.wait} s at most" in plan.autoscaling.why
    assert "every request through the route starts a pod" in plan.autoscaling.why
    plan, _ = told({"min_replica": 1, "max_replica": 3}, GPU, deadlines=deadlines)
    assert "waits" not in plan.autoscaling.why


def test_requests_pass_the_add_on_with_its_limits_lifted(told: Any) -> None:
    plan, _ = told({"max_replica": 4}, {"runtime": {"predict_concurrency": 10}})
    (route,) = made(plan, "InterceptorRoute")
    assert route["spec"] == {
        "target": {"service": "server", "port": 80},
        "rules": [{"hosts": ["server.models.example.com"]}],
        "scalingMetric": {"concurrency": {"targetValue": 7}},
        "timeouts": {
            "readiness": f"{plan.autoscaling.wait}s",
            "request": "0s",
            "responseHeader": "0s",
        },
    }
    (grant,) = made(plan, "ReferenceGrant")
    assert grant["metadata"]["namespace"] == "keda"
    assert grant["metadata"]["name"] == "server.models"
    assert grant["spec"]["from"][0]["namespace"] == "models"
    (http,) = made(plan, "HTTPRoute")
    backends = [rule["backendRefs"] for rule in http["spec"]["rules"]]
    name = "keda-add-ons-http-interceptor-proxy"
    assert backends == [[{"name": name, "namespace": "keda", "port": 8080}]] * 2
    (scaled,) = made(plan, "ScaledObject")
    assert scaled["spec"]["triggers"] == [
        {
            "type": "external-push",
            "metadata": {
                "scalerAddress": "keda-add-ons-http-external-scaler.keda:9090",
                "interceptorRoute": "server",
                "target": "7",
            },
        }
    ]


def test_a_grpc_server_has_a_grant_for_its_own_kind_of_route(told: Any) -> None:
    plan, _ = told({}, {"runtime": {"transport": {"kind": "grpc"}}}, route=ENVOY)
    (grant,) = made(plan, "ReferenceGrant")
    assert grant["spec"]["from"][0]["kind"] == "GRPCRoute"
    (route,) = made(plan, "GRPCRoute")
    assert route["spec"]["rules"][0]["backendRefs"][0]["namespace"] == "keda"


def test_metrics_of_the_gateway_are_those_of_the_servers_own_routes(told: Any) -> None:
    settings = {"min_replica": 1, "max_replica": 4, "prometheus": PROMETHEUS}
    plan, _ = told(settings, {"runtime": {"predict_concurrency": 10}}, route=ENVOY)
    (scaled,) = made(plan, "ScaledObject")
    chosen = '{envoy_cluster_name=~"httproute/models/server/rule/.*"}'
    assert scaled["spec"]["triggers"] == [
        {
            "type": "prometheus",
            "metadata": {
                "serverAddress": PROMETHEUS,
                "query": "avg_over_time(("
                f"(sum(envoy_cluster_upstream_rq_active{chosen}) or vector(0)) + "
                f"(sum(envoy_cluster_upstream_rq_pending_active{chosen}) or vector(0))"
                ")[60s:5s])",
                "threshold": "7",
            },
        }
    ]
    assert made(plan, "InterceptorRoute") == []
    (http,) = made(plan, "HTTPRoute")
    assert http["spec"]["rules"][0]["backendRefs"] == [{"name": "server", "port": 80}]


def test_metrics_of_vllm_are_those_of_the_servers_own_pods(told: Any) -> None:
    settings = {"min_replica": 1, "max_replica": 4, "prometheus": PROMETHEUS}
    plan, _ = told(settings, VLLM, ingress_from=[{"namespace": "gateways"}])
    (scaled,) = made(plan, "ScaledObject")
    (trigger,) = scaled["spec"]["triggers"]
    for gauge in ("vllm:num_requests_running", "vllm:num_requests_waiting"):
        pods = '{namespace="models",pod=~"server-[a-z0-9]+(-[a-z0-9]{5})?"}'
        assert f"(sum({gauge}{pods}) or vector(0))" in trigger["metadata"]["query"]
    assert plan.ingress.namespaces == ("gateways", "monitoring")


def test_the_interceptor_may_connect_to_the_pods(told: Any) -> None:
    plan, _ = told({"add_on_namespace": "scaling"}, ingress_from=[{"namespace": "gateways"}])
    assert plan.ingress.namespaces == ("gateways", "scaling")


def test_load_is_averaged_once_and_pods_stop_slowly(told: Any) -> None:
    window = {"autoscaling_window": 120, "scale_down_delay": 300, "max_scale_down_rate": 20}
    plan, _ = told(window)
    (scaled,) = made(plan, "ScaledObject")
    spec = scaled["spec"]
    assert (spec["cooldownPeriod"], spec["initialCooldownPeriod"]) == (300, 300)
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 120
    assert behavior["scaleDown"] == {
        "stabilizationWindowSeconds": 300,
        "selectPolicy": "Max",
        "policies": [{"type": "Percent", "value": 20, "periodSeconds": 300}],
    }
    metrics = {"min_replica": 1, "max_replica": 2, "prometheus": PROMETHEUS}
    plan, _ = told({**window, **metrics}, route=ENVOY)
    (scaled,) = made(plan, "ScaledObject")
    behavior = scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0


@pytest.mark.parametrize("delay", [0, 1, 3600])
def test_the_period_of_a_policy_is_one_that_kubernetes_takes(told: Any, delay: int) -> None:
    plan, _ = told({"scale_down_delay": delay})
    (scaled,) = made(plan, "ScaledObject")
    down = scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    assert 1 <= down["policies"][0]["periodSeconds"] <= 1800
    assert down["stabilizationWindowSeconds"] == delay


def test_triggers_of_the_stage_go_to_keda_as_they_are(told: Any) -> None:
    cron = {"type": "cron", "metadata": {"start": "0 8 * * *", "desiredReplicas": "2"}}
    plan, _ = told({"max_replica": 2, "triggers": [cron]})
    (scaled,) = made(plan, "ScaledObject")
    first, second = scaled["spec"]["triggers"]
    assert (first["type"], second) == ("external-push", cron)


def test_pulumi_leaves_the_number_out(told: Any) -> None:
    plan, _ = told({"max_replica": 3})
    made = deployment(plan)
    assert "replicas" not in made["spec"]
    assert made["metadata"]["annotations"]["trussform/replicas"] == "keda"
    assert plan.deadlines.timeout > 3 * plan.deadlines.progress


@pytest.mark.parametrize(("most", "budget"), [(1, None), (2, 1)])
def test_node_drains_are_limited_from_two_replicas_on(
    told: Any, most: int, budget: int | None
) -> None:
    plan, _ = told({"max_replica": most})
    assert plan.availability.max_unavailable == budget


def test_a_server_has_its_own_fields_and_the_stages_for_the_rest(told: Any) -> None:
    servers = {"server": {"path": "server", "autoscaling": {"max_replica": 5}}}
    plan, _ = told({"max_replica": 2, "scale_down_delay": 60}, servers=servers)
    assert (plan.autoscaling.maximum, plan.autoscaling.delay) == (5, 60)


def test_a_fixed_number_of_a_server_switches_it_off(told: Any) -> None:
    servers = {"server": {"path": "server", "replicas": 2}}
    plan, _ = told({"max_replica": 2}, servers=servers)
    assert (plan.autoscaling.metric, plan.rollout.replicas) == ("none", 2)


def test_a_server_can_be_the_only_one(workspace: Workspace) -> None:
    servers = {"server": {"path": "server", "autoscaling": {"max_replica": 5}}}
    plan, problems = workspace.plan(None, {"replicas": 3, "servers": servers})
    assert (plan.autoscaling.maximum, plan.rollout.replicas) == (5, None)
    assert problems == []


@pytest.mark.parametrize(
    ("autoscaling", "config", "stage", "message"),
    [
        ({"max_replica": 2}, {},
         {"servers": {"server": {"path": "server", "autoscaling": {"min_replica": 3}}}},
         "error: servers.server.autoscaling.min_replica: `max_replica` is 2, and `min_replica` "
         "is 3; "),
        ({"min_replica": 3, "max_replica": 2}, {}, {},
         "error: autoscaling.max_replica: `max_replica` is 2, and `min_replica` is 3; "),
        ({}, {}, {"route": {"kind": "none"}},
         "error: autoscaling.min_replica: `min_replica` 0 needs KEDA's HTTP add-on in front of "
         "the pods, and the stage has no route to it; "),
        ({}, {}, {"route": {"kind": "ingress", "controller": "traefik"}},
         "error: autoscaling.min_replica: `min_replica` 0 needs KEDA's HTTP add-on in front of "
         "the pods, and an Ingress cannot lead to another namespace; "),
        ({}, {}, {"route": {**ENVOY, "controller": "gke"}},
         "error: autoscaling.min_replica: `min_replica` 0 needs KEDA's HTTP add-on in front of "
         "the pods, and GKE's Gateway has not been tried with it; "),
        ({"min_replica": 1}, {}, {"route": {"kind": "none"}},
         "error: autoscaling: nothing that the stage names counts the requests of this server; "),
        ({"max_replica": 2}, {"runtime": {"transport": {"kind": "grpc"}}}, {"route": ENVOY},
         "warning: autoscaling.max_replica: KEDA's HTTP add-on sends the calls of all gRPC "
         "clients to one pod; set `min_replica: 1`, and "),
        ({}, {}, {"request_timeout": 60},
         "warning: request_timeout: `request_timeout` is 60 s, and a request at zero may wait "),
        ({}, {}, {"route": ENVOY, "secrets": {"existing": "s"},
                  "auth": {"kind": "api-key", "existing": "clients"},
                  "ingress_from": [{"namespace": "gateways"}]},
         "warning: auth: the gateway checks `auth`, and every pod that can connect to KEDA's HTTP "
         "add-on reaches the server past it; "),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_with_a_fix(
    told: Any,
    autoscaling: dict[str, Any],
    config: dict[str, Any],
    stage: dict[str, Any],
    message: str,
) -> None:
    _, problems = told(autoscaling, config, **stage)
    assert [text for text in problems if text.startswith(message)], problems


def test_a_grpc_server_behind_the_add_on_finishes_its_calls_itself(told: Any) -> None:
    """The add-on's one connection to it is never idle, so nothing can wait for its end."""
    grpc = {"runtime": {"transport": {"kind": "grpc"}}}
    plan, _ = told({}, grpc, route=ENVOY)
    assert plan.drain.waits == 0
    plan, _ = told({"min_replica": 1, "prometheus": PROMETHEUS}, grpc, route=ENVOY)
    assert plan.drain.waits > 0


def test_pulumi_waits_for_ten_replicas_at_most(told: Any) -> None:
    plan, _ = told({"max_replica": 500})
    assert plan.deadlines.timeout < 11 * plan.deadlines.progress
