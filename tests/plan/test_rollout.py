"""How a new version replaces the old one, and that each deadline waits for what it bounds."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trussform.config import Config
from trussform.config.runtime import WEEK
from trussform.plan import Plan
from trussform.plan.command import Command
from trussform.plan.probes import PERIOD, Probes
from trussform.plan.probes import probes as plan_probes
from trussform.plan.rollout import Rollout, rollout
from trussform.plan.weights import weights as plan_weights
from trussform.stage import Stage
from workspace import CONFIG, merged

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
def decided(draw: st.DrawFn) -> tuple[Config, Stage, Probes, Rollout]:
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
    probes = plan_probes(config, stage)
    fetched, _ = plan_weights(config, stage, "a")
    command = Command(("serve",), "")
    return config, stage, probes, rollout(config, stage, "a", command, probes, fetched)


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
    own = stage.server("a").replicas
    return stage.replicas if own is None else own


def spare_gpus(stage: Stage) -> int:
    own = stage.server("a").spare_gpus
    return stage.spare_gpus if own is None else own


@given(decided())
def test_every_deadline_waits_for_what_it_bounds(
    made: tuple[Config, Stage, Probes, Rollout],
) -> None:
    config, stage, probes, rollout = made
    checks = config.runtime.health_checks
    start = startup(config, stage)
    assert probes.startup_budget == start
    assert (probes.startup.failures - 1) * PERIOD >= start
    assert probes.readiness.failures * PERIOD >= checks.stop_traffic_threshold_seconds
    assert probes.liveness.failures * PERIOD >= checks.restart_threshold_seconds
    assert rollout.drain >= drain(config, stage)
    assert rollout.waits in (0, rollout.drain)
    assert rollout.grace > rollout.drain_delay + rollout.drain
    assert 0 < rollout.hung_grace <= rollout.grace
    waits = rollout.grace + stage.deadlines.provisioning + absent(config, stage)
    assert rollout.progress_deadline > waits
    assert rollout.timeout > max(1, replicas(stage)) * rollout.progress_deadline


@given(decided())
def test_no_deadline_is_later_than_it_need_be(
    made: tuple[Config, Stage, Probes, Rollout],
) -> None:
    config, stage, _, rollout = made
    waits = rollout.grace + stage.deadlines.provisioning + absent(config, stage)
    assert rollout.progress_deadline <= waits + 60
    assert rollout.timeout <= max(1, replicas(stage)) * rollout.progress_deadline + 60


@given(decided())
def test_the_bound_of_a_downtime_holds_and_ends_before_the_update_does(
    made: tuple[Config, Stage, Probes, Rollout],
) -> None:
    config, stage, _, rollout = made
    assert (rollout.away > 0) == (rollout.surge == 0 and rollout.replicas == 1)
    if rollout.away:
        stops = rollout.grace + absent(config, stage)
        assert stops <= rollout.away < rollout.progress_deadline < rollout.timeout


@pytest.mark.parametrize(("startup", "slack"), [(1, 10), (269, 30), (6000, 60)])
def test_a_deadline_is_later_by_a_tenth_but_by_some_seconds(
    plan: MakePlan, startup: int, slack: int
) -> None:
    limits = {"provisioning": 0, "pull": 0, "startup": startup}
    made = plan(None, {"request_timeout": 1, "deadlines": limits}).rollout
    assert (made.grace, made.progress_deadline) == (11, 11 + startup + LATE + slack)
    assert made.timeout == made.progress_deadline + slack


@given(decided())
def test_a_rollout_goes_on_and_takes_no_gpu_that_is_not_there(
    made: tuple[Config, Stage, Probes, Rollout],
) -> None:
    config, stage, _, rollout = made
    accelerator = config.resources.accelerator
    gpus = GPUS[str(accelerator) if accelerator else None]
    assert rollout.replicas == replicas(stage)
    assert rollout.surge + rollout.unavailable >= 1
    assert rollout.unavailable <= 1
    if gpus > spare_gpus(stage):
        assert rollout.surge == 0
    if config.weights and stage.weights.storage.kind == "claim":
        one_node = stage.weights.storage.access_mode == "ReadWriteOnce"
        assert not (one_node and rollout.surge)


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
        (0, "0 replicas, ", "no replica"),
        (1, "1 replica, ", "no spare GPU"),
        (2, "2 replicas, ", "one replica at a time: 1 of 2 carries the load"),
        (3, "3 replicas, ", "one replica at a time: 2 of 3 carry the load"),
    ],
)
def test_one_replica_is_no_plural(plan: MakePlan, replicas: int, shown: str, why: str) -> None:
    made = plan({"resources": {"accelerator": "L4"}}, {"replicas": replicas}).rollout
    assert str(made).startswith(shown)
    assert made.why.startswith(why)


def test_the_spare_gpus_that_an_update_needs_are_said(plan: MakePlan) -> None:
    made = plan({"resources": {"accelerator": "L4:2"}}, {"spare_gpus": 3}).rollout
    assert made.why == "the new pod starts first: it needs 2 of 3 spare GPUs"
    made = plan({"resources": {"accelerator": "L4:2"}}, {"spare_gpus": 1}).rollout
    one = plan({"resources": {"accelerator": "L4"}}, {"spare_gpus": 1}).rollout
    assert one.why.endswith("it needs 1 of 1 spare GPU")
    assert made.why.startswith("1 spare GPU is too few for 2, so the old pod goes first")


def test_one_gpu_without_a_spare_says_how_long_service_is_gone(plan: MakePlan) -> None:
    stage = {"request_timeout": 20, "deadlines": {"pull": 30, "startup": 40}}
    made = plan({"resources": {"accelerator": "L4"}}, stage).rollout
    assert "without service for at most 120 s" in made.why


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
    made = plan({"runtime": {"transport": {"kind": transport}}}, stage).rollout
    assert (made.drain, made.grace) == (drain, 5 + drain + 5)
    assert f"requests {drain}" in made.why_deadlines


@pytest.mark.parametrize(
    ("command", "transport", "waits", "why"),
    [
        ("vllm serve m", "http", 600, "vLLM cuts requests at SIGTERM"),
        ("vllm serve m --shutdown-timeout 30", "http", 600, "vLLM cuts requests"),
        ("sh -c 'exec ollama serve'", "http", 600, "Ollama cuts requests"),
        ("serve", "http", 600, "the server may cut requests"),
        ("text-embeddings-router", "http", 0, "TEI finishes its requests"),
        ("text-embeddings-router", "grpc", 3600, "connections of grpc"),
        ("sh -c 'text-embeddings-router & vllm serve m'", "http", 600, "vLLM cuts"),
        (None, "http", 0, "may have no shell"),
    ],
)
def test_sigterm_waits_for_requests_unless_the_server_finishes_them(
    plan: MakePlan, command: str | None, transport: str, waits: int, why: str
) -> None:
    server = {"start_command": command, "no_build": command is None}
    transported = {"runtime": {"transport": {"kind": transport}}}
    envoy = {"route": {"kind": "gateway", "name": "public", "controller": "envoy-gateway"}}
    made = plan({"docker_server": server, **transported}, envoy).rollout
    assert made.waits == waits
    assert why in made.why_drain
    assert f"at most {waits or 600} s" in made.draining


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
    made = plan({"runtime": {"transport": {"kind": "grpc"}}}, {"route": route}).rollout
    assert (made.waits, made.drain, made.grace) == (waits, 3600, 3610)
    assert ("must finish its calls" in made.why_drain) == (waits == 0)
