"""The provider that constructs the component for programs in other languages."""

from pathlib import Path
from typing import Any, cast

import pulumi
import pytest
from pulumi.errors import InputPropertiesError
from pulumi.provider import ConstructResult
from support.mocks import Recorder, resolved, run
from support.workspace import STAGE, Workspace
from trussform.deploy.provider import Provider, _platform  # pyright: ignore[reportPrivateUsage]

COMPONENT = "trussform:index:DockerServer"
PLAIN_STAGE: dict[str, Any] = {
    "environment": "dev",
    "registry": "registry.example.com/models",
    "route": {"kind": "gateway"},
    "auth": {"kind": "none"},
    "deadlines": {"drain": 60.0},
}
PLATFORM: dict[str, Any] = {
    "namespace": "models",
    "domain": "models.example.com",
    "gateway": {"name": "public", "namespace": "gateways"},
    "registry": "registry.example.com/models",
}


def construct(inputs: dict[str, Any]) -> ConstructResult:
    made: list[ConstructResult] = []

    def program() -> Any:
        made.append(Provider().construct("llama", COMPONENT, inputs))

    run(program)
    return made[0]


def test_the_outputs_have_the_names_of_other_languages(
    workspace: Workspace, recorder: Recorder
) -> None:
    workspace.write_config()
    made = construct({"configPath": "server", "stage": {**STAGE, "auth": {"kind": "none"}}})
    state: Any = made.state
    assert resolved(cast(Any, made.urn)).endswith("trussform:index:DockerServer::llama")
    assert set(state) == {"predictUrl", "syncUrl", "image", "namespace", "service", "environment"}
    assert resolved(state["predictUrl"]) == (
        "https://llama.models.example.com/environments/dev/predict"
    )


def test_numbers_and_names_are_pythons(workspace: Workspace, recorder: Recorder) -> None:
    workspace.write_config()
    stage = {**PLAIN_STAGE, "pod": {"nodeSelector": {"myPool": "gpu"}}}
    overrides = {"replicas": 2.0, "config": {"environment_variables": {"myVar": "x"}}}
    construct(
        {"configPath": "server", "stage": stage, "overrides": overrides, "platform": PLATFORM}
    )
    spec = recorder.inputs("llama-deployment")["spec"]
    pod = spec["template"]["spec"]
    assert (spec["replicas"], pod["terminationGracePeriodSeconds"]) == (2, 70)
    assert pod["nodeSelector"] == {"myPool": "gpu"}
    assert {"name": "myVar", "value": "x"} in pod["containers"][0]["env"]


def test_a_platform_that_is_one_output_gives_its_values(
    workspace: Workspace, recorder: Recorder
) -> None:
    """The SDK of Java sends it so."""
    workspace.write_config()
    platform = pulumi.Output.from_input(PLATFORM)
    construct({"configPath": "server", "stage": PLAIN_STAGE, "platform": platform})
    route = recorder.inputs("llama-httproute")
    assert route["metadata"]["namespace"] == "models"
    assert route["spec"]["hostnames"] == ["llama.models.example.com"]
    assert route["spec"]["parentRefs"] == [{"name": "public", "namespace": "gateways"}]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"domain": None}, "platform: the platform is one output, and has no `domain`; add it"),
        (
            {"pull_secret": "login"},
            "platform.pullSecret: the platform is one output, and cannot have it;"
            " write `pullSecret` in the stage",
        ),
    ],
)
def test_a_platform_that_is_one_output_and_cannot_work_says_why(
    recorder: Recorder, changes: dict[str, Any], complaint: str
) -> None:
    values = {key: value for key, value in {**PLATFORM, **changes}.items() if value is not None}
    given = _platform(pulumi.Output.from_input(values))
    with pytest.raises(pulumi.RunError) as caught:
        resolved(cast(Any, given).get("domain"))
    assert str(caught.value) == f"args: {complaint}"


def test_all_mistakes_arrive_at_once_in_the_spelling_of_other_languages(
    workspace: Workspace, recorder: Recorder
) -> None:
    workspace.write_config({"docker_servr": {}})
    stage = {**STAGE, "auth": {"kind": "none"}, "pod": {"nodeSelector": {"a b": "x"}}}
    with pytest.raises(InputPropertiesError) as caught:
        construct({"configPath": "server", "stage": stage, "overrides": {"spareGpus": -1.0}})
    told = caught.value.message
    assert told.startswith("DockerServer llama:\n")
    assert "args: stage.pod.nodeSelector" in told
    assert "args: overrides.spareGpus" in told
    line = Path("server/config.yaml").read_text().splitlines().index("docker_servr: {}") + 1
    assert f"server/config.yaml:{line}:1: docker_servr: unknown field" in told
    assert recorder.requests == {}


def test_an_output_in_a_plain_argument_is_named(workspace: Workspace, recorder: Recorder) -> None:
    workspace.write_config()
    stage = {**PLAIN_STAGE, "deadlines": {"drain": pulumi.Output.from_input(60)}}
    with pytest.raises(InputPropertiesError) as caught:
        construct({"configPath": "server", "stage": stage, "platform": PLATFORM})
    assert "args: stage.deadlines.drain: the value must be plain" in caught.value.message


def test_a_component_that_the_package_lacks_is_named() -> None:
    with pytest.raises(InputPropertiesError, match="has no component trussform:index:Server"):
        Provider().construct("llama", "trussform:index:Server", {})
