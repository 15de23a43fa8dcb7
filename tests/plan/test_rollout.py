"""The replacement of the old version, and the order of the deadlines."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.workspace import CONFIG, deployment, merged, plan_of
from trussform.config import Config
from trussform.config.runtime import WEEK
from trussform.plan import Plan
from trussform.plan.probes import PERIOD
from trussform.stage import Stage

MakePlan = Callable[..., Plan]
GPUS = {None: 0, "L4": 1, "H100:8": 8}

TRANSPORTS = {"http": 600, "websocket": 3600, "grpc": 3600}
"""Each transport, and the seconds that its requests get unless the stage says more."""

LATE = 20
"""Seconds, two checks, by which a kubelet was seen to let a start pass after its budget."""

seconds = st.integers(1, WEEK)
"""From what a test would wait to what nobody would."""
checks = st.fixed_dictionaries(
    {},
    optional={
        "startup_threshold_seconds": seconds,
        "stop_traffic_threshold_seconds": seconds,
        "restart_threshold_seconds": seconds,
        "restart_check_delay_seconds": st.integers(0, WEEK),
    },
)
deadlines = st.fixed_dictionaries(
    {},
    optional={
        "provisioning": st.integers(0, WEEK),
        "weights": st.integers(0, WEEK),
        "pull": st.integers(0, WEEK),
        "startup": seconds,
        "drain": st.integers(0, WEEK),
    },
)
storage = st.one_of(
    st.just({"kind": "node", "path": "/data"}),
    st.fixed_dictionaries(
        {
            "kind": st.just("claim"),
            "access_mode": st.sampled_from(["ReadWriteOnce", "ReadWriteMany"]),
        }
    ),
)

counts = st.fixed_dictionaries(
    {}, optional={"replicas": st.integers(0, 1000), "spare_gpus": st.integers(0, 16)}
)


@st.composite
def decided(draw: st.DrawFn) -> tuple[Config, Stage, Plan]:
    """A config and a stage of any deadlines, and what is planned for them."""
    weights = [{"source": "hf://a/b", "mount_location": "/models/b"}]
    config = Config.model_validate(
        merged(
            CONFIG,
            {
                "resources": {"accelerator": draw(st.sampled_from(list(GPUS)))},
                "runtime": {
                    "health_checks": draw(checks),
                    "transport": {"kind": draw(st.sampled_from(list(TRANSPORTS)))},
                },
                "weights": draw(st.sampled_from([[], weights])),
            },
        )
    )
    stage = Stage.model_validate(
        {
            "environment": "dev",
            **draw(counts),
            "servers": {"a": {"path": "a", **draw(counts)}},
            "request_timeout": draw(st.none() | st.integers(1, 86_400)),
            "deadlines": draw(deadlines),
            "weights": {"storage": draw(storage)},
        }
    )
    return config, stage, plan_of(config, stage, "a")


def drain(config: Config, stage: Stage) -> int:
    """Seconds that a stopping pod gives its requests, at least."""
    if stage.deadlines.drain is not None:
        return stage.deadlines.drain
    default = TRANSPORTS[config.runtime.transport.kind]
    return stage.request_timeout or default if default == 600 else default


def startup(config: Config, stage: Stage) -> int:
    """Seconds that a start may take."""
    return stage.deadlines.startup or config.runtime.health_checks.startup_threshold_seconds


def absent(config: Config, stage: Stage) -> int:
    """Seconds from an old pod that is gone to a new one that is ready, at most."""
    fetch = stage.deadlines.weights if config.weights else 0
    return fetch + stage.deadlines.pull + startup(config, stage) + LATE


def replicas(stage: Stage) -> int:
    own = stage.servers["a"].replicas
    number = stage.replicas if own is None else own
    assert number != "autoscaled"
    return number


def spare_gpus(stage: Stage) -> int:
    own = stage.servers["a"].spare_gpus
    return stage.spare_gpus if own is None else own


@given(decided())
def test_every_deadline_waits_for_what_it_bounds(
    made: tuple[Config, Stage, Plan],
) -> None:
    config, stage, plan = made
    checks = config.runtime.health_checks
    start = startup(config, stage)
    assert plan.probes.startup_budget == start
    assert (plan.probes.startup.failures - 1) * PERIOD >= start
    assert plan.probes.readiness.failures * PERIOD >= checks.stop_traffic_threshold_seconds
    assert plan.probes.liveness.failures * PERIOD >= checks.restart_threshold_seconds
    assert plan.drain.seconds >= drain(config, stage)
    assert plan.drain.waits in (0, plan.drain.seconds)
    assert plan.drain.grace > plan.drain.delay + plan.drain.seconds
    assert 0 < plan.drain.hung_grace <= plan.drain.grace
    waits = plan.drain.grace + stage.deadlines.provisioning + absent(config, stage)
    assert plan.deadlines.progress > waits
    assert plan.deadlines.timeout > max(1, replicas(stage)) * plan.deadlines.progress


@given(decided())
def test_no_deadline_is_later_than_it_need_be(
    made: tuple[Config, Stage, Plan],
) -> None:
    config, stage, plan = made
    waits = plan.drain.grace + stage.deadlines.provisioning + absent(config, stage)
    assert plan.deadlines.progress <= waits + 60
    assert plan.deadlines.timeout <= max(1, replicas(stage)) * plan.deadlines.progress + 60


@given(decided())
def test_the_bound_of_a_downtime_holds_and_ends_before_the_update_does(
    made: tuple[Config, Stage, Plan],
) -> None:
    config, stage, plan = made
    assert (plan.rollout.downtime > 0) == (plan.rollout.surge == 0 and plan.rollout.replicas == 1)
    if plan.rollout.downtime:
        stops = plan.drain.grace + absent(config, stage)
        assert stops <= plan.rollout.downtime < plan.deadlines.progress < plan.deadlines.timeout


@pytest.mark.parametrize(("startup", "slack"), [(1, 10), (269, 30), (6000, 60)])
def test_a_deadline_is_later_by_a_tenth_but_by_some_seconds(
    plan: MakePlan, startup: int, slack: int
) -> None:
    limits = {"provisioning": 0, "pull": 0, "startup": startup}
    made = plan(None, {"request_timeout": 1, "deadlines": limits}).deadlines
    assert (made.grace, made.progress) == (11, 11 + startup + LATE + slack)
    assert made.timeout == made.progress + slack


@given(decided())
def test_a_rollout_goes_on_and_takes_no_gpu_that_is_not_there(
    made: tuple[Config, Stage, Plan],
) -> None:
    config, stage, plan = made
    accelerator = config.resources.accelerator
    gpus = GPUS[str(accelerator) if accelerator else None]
    assert plan.rollout.replicas == replicas(stage)
    assert plan.rollout.surge + plan.rollout.unavailable >= 1
    assert plan.rollout.unavailable <= 1
    if gpus > spare_gpus(stage):
        assert plan.rollout.surge == 0
    if config.weights and stage.weights.storage.kind == "claim":
        one_node = stage.weights.storage.access_mode == "ReadWriteOnce"
        assert not (one_node and plan.rollout.surge)


@pytest.mark.parametrize(
    ("accelerator", "replicas", "spare", "surge"),
    [("L4", 1, 0, 0), ("L4", 3, 0, 0), ("L4", 1, 1, 1), ("L4:2", 1, 1, 0), (None, 1, 0, 1)],
)
def test_a_rollout_needs_no_gpu_that_is_not_there(
    plan: MakePlan, accelerator: str | None, replicas: int, spare: int, surge: int
) -> None:
    stage = {"replicas": replicas, "spare_gpus": spare}
    made = plan({"resources": {"accelerator": accelerator}}, stage).rollout
    assert made.surge == surge


@pytest.mark.parametrize(
    ("replicas", "shown", "why"),
    [
        (0, "0 replicas; ", "`replicas` is 0"),
        (1, "1 replica; ", "the old pod stops first"),
        (2, "2 replicas; ", "one at a time; 1 of 2 serve"),
        (3, "3 replicas; ", "one at a time; 2 of 3 serve"),
    ],
)
def test_one_replica_is_no_plural(plan: MakePlan, replicas: int, shown: str, why: str) -> None:
    made = plan({"resources": {"accelerator": "L4"}}, {"replicas": replicas}).rollout
    assert str(made).startswith(shown)
    assert why in made.why


def test_the_spare_gpus_that_an_update_needs_are_said(plan: MakePlan) -> None:
    made = plan({"resources": {"accelerator": "L4:2"}}, {"spare_gpus": 3}).rollout
    assert made.why.startswith("the new pod needs 2 of 3 spare GPUs, so it starts before")
    made = plan({"resources": {"accelerator": "L4:2"}}, {"spare_gpus": 1}).rollout
    one = plan({"resources": {"accelerator": "L4"}}, {"spare_gpus": 1}).rollout
    assert one.why.startswith("the new pod needs 1 of 1 spare GPU, so")
    needs = "the new pod needs 2 GPUs, and the stage has 1 spare GPU, so the old pod stops first"
    assert made.why.startswith(needs)


def test_one_gpu_without_a_spare_says_how_long_service_is_gone(plan: MakePlan) -> None:
    stage = {"request_timeout": 20, "deadlines": {"pull": 30, "startup": 40}}
    made = plan({"resources": {"accelerator": "L4"}}, stage).rollout
    assert "maximum downtime 120 s" in made.why


@pytest.mark.parametrize(
    ("transport", "stage", "drain"),
    [
        ("http", {}, 600),
        ("http", {"request_timeout": 20}, 20),
        ("http", {"request_timeout": 20, "deadlines": {"drain": 90}}, 90),
        ("websocket", {}, 3600),
        ("websocket", {"request_timeout": 20}, 3600),
        ("websocket", {"request_timeout": 7200}, 7200),
        ("grpc", {}, 3600),
        ("grpc", {"deadlines": {"drain": 0}}, 0),
    ],
)
def test_a_stopping_pod_gives_its_requests_their_time(
    plan: MakePlan, transport: str, stage: dict[str, Any], drain: int
) -> None:
    made = plan({"runtime": {"transport": {"kind": transport}}}, stage)
    assert (made.drain.seconds, made.drain.grace) == (drain, 5 + drain + 5)
    assert f"requests {drain}" in made.deadlines.why


@pytest.mark.parametrize(
    ("command", "transport", "waits", "why"),
    [
        ("vllm serve m", "http", 600, "vLLM aborts running requests at SIGTERM"),
        ("vllm serve m --shutdown-timeout 30", "http", 600, "vLLM aborts running"),
        ("sh -c 'exec ollama serve'", "http", 600, "Ollama aborts running"),
        ("serve", "http", 600, "the server may abort running requests"),
        ("text-embeddings-router", "http", 0, "TEI finishes running requests"),
        ("text-embeddings-router", "grpc", 3600, "gRPC connections"),
        ("sh -c 'text-embeddings-router & vllm serve m'", "http", 600, "vLLM aborts"),
        (None, "http", 0, "may have no shell"),
    ],
)
def test_sigterm_waits_for_requests_unless_the_server_finishes_them(
    plan: MakePlan, command: str | None, transport: str, waits: int, why: str
) -> None:
    server = {"start_command": command, "no_build": command is None}
    transported = {"runtime": {"transport": {"kind": transport}}}
    envoy = {"route": {"kind": "gateway", "name": "public", "controller": "envoy-gateway"}}
    made = plan({"docker_server": server, **transported}, envoy).drain
    assert made.waits == waits
    assert why in made.why
    shown = f"{5 + waits} s after termination begins" if waits else "have 600 s to finish"
    assert shown in str(made)


@pytest.mark.parametrize(
    ("route", "waits"),
    [
        ({"kind": "gateway", "name": "public", "controller": "envoy-gateway"}, 3600),
        ({"kind": "ingress", "controller": "nginx"}, 3600),
        # These keep idle connections open, and SIGTERM would wait for them for an hour.
        ({"kind": "gateway", "name": "public", "controller": "traefik"}, 0),
        ({"kind": "ingress", "controller": "traefik"}, 0),
        ({"kind": "gateway", "name": "public"}, 0),
        ({"kind": "none"}, 0),
    ],
)
def test_sigterm_waits_for_grpc_only_where_idle_connections_are_closed(
    plan: MakePlan, route: dict[str, Any], waits: int
) -> None:
    made = plan({"runtime": {"transport": {"kind": "grpc"}}}, {"route": route}).drain
    assert (made.waits, made.seconds, made.grace) == (waits, 3600, 3610)
    assert ("must finish its calls" in made.why) == (waits == 0)


@pytest.mark.parametrize(("spare", "surge"), [(0, 0), (1, 1)])
def test_an_autoscaler_of_the_users_owns_the_number_of_replicas(
    plan: MakePlan, spare: int, surge: int
) -> None:
    stage = {"replicas": "autoscaled", "spare_gpus": spare}
    made = plan({"resources": {"accelerator": "L4"}}, stage)
    spec = deployment(made)["spec"]
    assert "replicas" not in spec
    assert spec["strategy"]["rollingUpdate"]["maxSurge"] == surge
    assert str(made.rollout).startswith("autoscaled; ")
    assert made.rollout.why.endswith(
        "an autoscaler owns the number of replicas, so Pulumi leaves it out"
    )
    # One replica may be all that there are, and several pods need a limit for node drains.
    assert (made.rollout.downtime > 0) == (surge == 0)
    assert made.availability.max_unavailable == 1
    assert made.deadlines.timeout > 10 * made.deadlines.progress


def test_a_server_can_have_an_autoscaler_of_its_own(plan: MakePlan) -> None:
    servers = {"server": {"path": "server", "replicas": "autoscaled"}}
    assert plan(None, {"replicas": 3, "servers": servers}).rollout.replicas is None
