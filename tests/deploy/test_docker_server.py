"""The component against the SDK's mocks: which resources, whose children, and what is secret."""

import base64
import json
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import pytest
from support.mocks import DIGEST, SECRET, Recorder, resolved, run
from support.workspace import STAGE, Workspace
from trussform.deploy import DockerServer, DockerServerArgs
from trussform.deploy.secrets import _credentials  # pyright: ignore[reportPrivateUsage]

COMPONENT = "trussform:index:DockerServer"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"
"""The marks of a secret in Pulumi's protocol (sdk/go/common/resource/sig)."""


def warnings_of(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Returns a list that gets each warning of the program."""
    said: list[str] = []

    def warn(text: str, *_: object) -> None:
        said.append(text)

    monkeypatch.setattr(pulumi.log, "warn", warn)
    return said


def args(
    workspace: Workspace, config: dict[str, Any] | None = None, **more: Any
) -> DockerServerArgs:
    workspace.write_config(config)
    made: Any = {"config_path": "server", "stage": {**STAGE, **more.pop("stage", {})}, **more}
    return made


def test_the_children_of_a_server(workspace: Workspace, recorder: Recorder) -> None:
    given = args(workspace, {"secrets": {"token": None}}, secrets={"token": "t"})
    run(lambda: DockerServer("llama", given).predict_url)
    assert {name: request.type for name, request in recorder.requests.items()} == {
        "llama": COMPONENT,
        "llama-secrets": SECRET,
        "llama-deployment": DEPLOYMENT,
        "llama-service": "kubernetes:core/v1:Service",
        "llama-httproute": "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute",
    }
    urn = f"urn:pulumi:dev::p::pulumi:pulumi:Stack${COMPONENT}::llama"
    parents = {name: request.parent for name, request in recorder.requests.items()}
    assert {parents[name] for name in parents if name != "llama"} == {urn}


def test_the_outputs_of_a_server(workspace: Workspace, recorder: Recorder) -> None:
    made: list[DockerServer] = []
    run(lambda: made.append(DockerServer("llama", args(workspace))))
    (server,) = made
    assert resolved(server.predict_url) == (
        "https://llama.models.example.com/environments/dev/predict"
    )
    assert resolved(server.sync_url) == "https://llama.models.example.com/environments/dev/sync"
    assert resolved(server.image) == f"python@{DIGEST}"
    assert resolved(server.namespace) == "models"
    assert resolved(server.service) == "llama"
    assert resolved(server.environment) == "dev"


def test_only_an_update_that_takes_the_server_away_says_how_long_the_last_one_took(
    workspace: Workspace, recorder: Recorder
) -> None:
    gpu = {"resources": {"accelerator": "L4"}}

    def program() -> None:
        workspace.write_config(gpu)
        for name, spare in (("away", 0), ("there", 1)):
            DockerServer(name, args(workspace, gpu, stage={"spare_gpus": spare}))

    run(program)
    hooks = {
        name: list(recorder.requests[f"{name}-deployment"].hooks.before_update)
        for name in ("away", "there")
    }
    assert hooks == {"away": ["away-downtime", "away-pause"], "there": ["there-pause"]}


def test_the_login_of_a_base_is_not_for_what_fetches_weights(
    workspace: Workspace, recorder: Recorder
) -> None:
    auth = {"auth_method": "REGISTRY_SECRET", "secret_name": "login"}
    weight = {"source": "hf://o/m@main", "mount_location": "/models/a"}
    config = {
        "base_image": {"image": "registry.example.com/base:1", "docker_auth": auth},
        "weights": [weight],
    }
    given = args(workspace, config, secrets={"login": "user:password"})
    run(lambda: DockerServer("llama", given).image)
    asked = {request.args["name"]: request.provider for request in recorder.invokes}
    assert "llama-look-up" in asked["registry.example.com/base:1"]
    assert asked["kserve/storage-initializer:v0.20.0"] == ""


def test_what_fetches_weights_runs_by_digest(workspace: Workspace, recorder: Recorder) -> None:
    config = {"weights": [{"source": "hf://o/m@main", "mount_location": "/models/a"}]}
    run(lambda: DockerServer("llama", args(workspace, config)).image)
    pod = recorder.inputs("llama-deployment")["spec"]["template"]["spec"]
    (fetch,) = pod["initContainers"]
    assert fetch["image"] == f"kserve/storage-initializer@{DIGEST}"


def test_a_base_that_runs_as_it_is_runs_by_digest(workspace: Workspace, recorder: Recorder) -> None:
    run(lambda: DockerServer("llama", args(workspace)).image)
    container = recorder.inputs("llama-deployment")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == f"python@{DIGEST}"
    assert "llama-image" not in recorder.requests


def test_a_build_is_pushed_under_the_tag_of_its_content_and_runs_by_digest(
    workspace: Workspace, recorder: Recorder
) -> None:
    given = args(workspace, {"requirements": ["six"]})
    run(lambda: DockerServer("llama", given).image)
    image = recorder.inputs("llama-image")
    assert image["imageName"].startswith("registry.example.com/models/llama:")
    assert image["build"]["context"] == ".trussform/dev/llama/image"
    assert image["build"]["platform"] == "linux/amd64"
    dockerfile = Path(".trussform/dev/llama/image/Dockerfile").read_text()
    assert f"\nFROM python@{DIGEST}\n" in dockerfile
    container = recorder.inputs("llama-deployment")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == f"registry.example.com/models/llama@{DIGEST}"


def test_secret_values_are_secret_and_only_in_the_secret(
    workspace: Workspace, recorder: Recorder
) -> None:
    given = args(workspace, {"secrets": {"token": None}}, secrets={"token": "canary"})
    run(lambda: DockerServer("llama", given).predict_url)
    values = recorder.inputs("llama-secrets")["stringData"]
    assert values[SIGNATURE] == SECRET_SIGNATURE
    answered = recorder.requests["llama-secrets"].additionalSecretOutputs
    assert set(answered) == {"data", "stringData"}
    others = {
        name: request for name, request in recorder.requests.items() if name != "llama-secrets"
    }
    assert "canary" not in str(others)


def test_a_secret_that_the_server_does_not_read_is_a_warning(
    workspace: Workspace, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = warnings_of(monkeypatch)
    given = args(workspace, {"secrets": {"token": None}}, secrets={"token": "t", "typo": "t"})
    run(lambda: DockerServer("llama", given).predict_url)
    assert [line for line in said if line.startswith("secrets: ")] == [
        "secrets: typo: the server does not read a secret with this name; "
        "add it to `secrets` of its config, or leave it out of the arguments"
    ]


@pytest.mark.parametrize("value", ["me:pass:word", base64.b64encode(b"me:pass:word").decode()])
def test_a_registrys_login_pulls_the_image_and_looks_it_up(
    workspace: Workspace, recorder: Recorder, value: str
) -> None:
    auth = {"auth_method": "REGISTRY_SECRET", "secret_name": "hub"}
    image = {"base_image": {"image": "registry.example.com/a:1", "docker_auth": auth}}
    given = args(workspace, image, secrets={"hub": value})
    run(lambda: DockerServer("llama", given).predict_url)
    made = recorder.inputs("llama-registry")
    assert made["type"] == "kubernetes.io/dockerconfigjson"
    held = made["stringData"]
    assert held[SIGNATURE] == SECRET_SIGNATURE  # pyright: ignore[reportPrivateUsage]
    assert json.loads(held["value"][".dockerconfigjson"]) == {
        "auths": {"registry.example.com": {"username": "me", "password": "pass:word"}}
    }
    pod = recorder.inputs("llama-deployment")["spec"]["template"]["spec"]
    assert pod["imagePullSecrets"] == [{"name": "llama-registry-1a2b3c"}]
    (login,) = json.loads(recorder.inputs("llama-look-up")["registryAuth"]["value"])
    assert (login["address"], login["password"]) == ("registry.example.com", "pass:word")


BY_KEY = {
    "route": {"kind": "gateway", "name": "public", "controller": "envoy-gateway"},
    "auth": {"kind": "api-key", "keys": ["ci", "web"]},
}


def test_the_keys_of_clients_open_by_both_spellings_from_a_secret_of_their_own(
    workspace: Workspace, recorder: Recorder
) -> None:
    keys = {"ci": " canary-one\n", "web": pulumi.Output.from_input("canary-two")}
    given = args(workspace, stage=BY_KEY, secrets=keys)
    run(lambda: DockerServer("llama", given).predict_url)
    made = recorder.inputs("llama-api-keys")
    assert made["metadata"]["namespace"] == "models"
    assert "name" not in made["metadata"]
    held = made["stringData"]
    assert held[SIGNATURE] == SECRET_SIGNATURE  # pyright: ignore[reportPrivateUsage]
    assert held["value"] == {
        "ci.bearer": "canary-one",
        "ci.api-key": "Api-Key canary-one",
        "web.bearer": "canary-two",
        "web.api-key": "Api-Key canary-two",
    }
    others = {
        name: request for name, request in recorder.requests.items() if name != "llama-api-keys"
    }
    assert "canary" not in str(others)
    assert "llama-secrets" not in recorder.requests


ROTATING = {"ci": "ci_next"}


@pytest.mark.parametrize(
    ("keys", "mistakes"),
    [
        (
            {"ci": "canary", "web": "canary\n"},
            [
                "the keys `ci` and `web` are the same, and a key is of one client; "
                "set another: …web'"
            ],
        ),
        ({"ci": "canary one"}, ["the key `ci` has white space in it; set another: …ci'"]),
        ({"ci": "canary\tone"}, ["the key `ci` has white space in it; set another: …ci'"]),
        ({"ci": " \n"}, ["the key `ci` is empty; set another: …ci'"]),
        (
            {"ci": "", "web": "\u3000"},
            [
                "the key `ci` is empty; set another: …ci'",
                "the key `web` is empty; set another: …web'",
            ],
        ),
        (
            {"ci": "canärý", "web": "canary two", "old": ""},
            [
                "the key `ci` has characters other than ASCII's letters, digits and signs; "
                "set another: …ci'",
                "the key `web` has white space in it; set another: …web'",
                "the key `old` is empty; set another: …old'",
            ],
        ),
    ],
)
def test_every_key_that_cannot_work_is_refused_at_once(
    keys: dict[str, str], mistakes: list[str]
) -> None:
    command = "pulumi config set --secret --path 'trussform:secrets."
    with pytest.raises(pulumi.RunError) as raised:
        _credentials(ROTATING, keys)
    assert str(raised.value).replace(command, "…").splitlines() == mistakes


def test_a_client_has_two_keys_while_they_rotate() -> None:
    assert _credentials(ROTATING, {"ci": "before", "ci_next": "after"}) == {
        "ci.bearer": "before",
        "ci.api-key": "Api-Key before",
        "ci_next.bearer": "after",
        "ci_next.api-key": "Api-Key after",
    }
    # The last step: the client's secret has the new key, and the second secret has it still.
    assert set(_credentials(ROTATING, {"ci": "after", "ci_next": "after"})) == {
        "ci.bearer",
        "ci.api-key",
    }


def test_the_route_comes_after_its_guard_and_the_guard_after_the_keys(
    workspace: Workspace, recorder: Recorder
) -> None:
    given = args(workspace, stage=BY_KEY, secrets={"ci": "a", "web": "b"})
    run(lambda: DockerServer("llama", given).predict_url)
    guard = recorder.inputs("llama-securitypolicy-auth")
    assert guard["spec"]["apiKeyAuth"]["credentialRefs"] == [{"name": "llama-api-keys-1a2b3c"}]
    after = {name: list(request.dependencies) for name, request in recorder.requests.items()}
    assert any(urn.endswith("::llama-api-keys") for urn in after["llama-securitypolicy-auth"])
    assert any(urn.endswith("::llama-securitypolicy-auth") for urn in after["llama-httproute"])


@pytest.mark.parametrize(
    "stage",
    [
        {"secrets": {"store": "vault"}},
        {"secrets": {"existing": "mine"}},
        {
            **BY_KEY,
            "auth": {"kind": "api-key", "existing": "clients"},
            "secrets": {"existing": "mine"},
        },
    ],
)
def test_a_secret_that_others_make_is_not_made_here(
    workspace: Workspace, recorder: Recorder, stage: dict[str, Any]
) -> None:
    given = args(workspace, {"secrets": {"token": None}}, stage=stage, secrets={"token": "canary"})
    run(lambda: DockerServer("llama", given).predict_url)
    assert SECRET not in {request.type for request in recorder.requests.values()}
    assert "canary" not in str(recorder.requests)
    pod = recorder.inputs("llama-deployment")["spec"]["template"]["spec"]
    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "secrets"]
    name = volume["projected"]["sources"][0]["secret"]["name"]
    order = recorder.requests.get("llama-externalsecret-secrets")
    assert name == ("mine" if order is None else "llama-secrets")
    assert (order is None) == ("store" not in stage["secrets"])


def test_a_deployment_that_fails_is_asked_why(workspace: Workspace, recorder: Recorder) -> None:
    run(lambda: DockerServer("llama", args(workspace)).predict_url)
    hooks = {
        name: list(request.hooks.on_error)
        for name, request in recorder.requests.items()
        if request.hooks.on_error
    }
    assert hooks == {"llama-deployment": ["llama-diagnosis"]}


def test_the_pods_use_the_secret_by_its_own_name(workspace: Workspace, recorder: Recorder) -> None:
    given = args(workspace, {"secrets": {"token": None}}, secrets={"token": "t"})
    run(lambda: DockerServer("llama", given).predict_url)
    assert "name" not in recorder.inputs("llama-secrets")["metadata"]
    spec = recorder.inputs("llama-deployment")["spec"]["template"]["spec"]
    (volume,) = [volume for volume in spec["volumes"] if volume["name"] == "secrets"]
    assert volume["projected"]["sources"][0]["secret"]["name"] == "llama-secrets-1a2b3c"
    (secret,) = [
        urn for urn in recorder.requests["llama-deployment"].dependencies if "Secret" in urn
    ]
    assert secret.endswith("::llama-secrets")


def test_the_route_waits_for_the_deployment_and_the_service_and_nothing_else_waits(
    workspace: Workspace, recorder: Recorder
) -> None:
    run(lambda: DockerServer("llama", args(workspace)).predict_url)
    after = {
        name: {urn.rpartition("::")[2] for urn in request.dependencies}
        for name, request in recorder.requests.items()
    }
    assert after["llama-httproute"] == {"llama-deployment", "llama-service"}
    assert after["llama-service"] == after["llama-deployment"] == set()


def test_the_callers_provider_reaches_every_child(workspace: Workspace, recorder: Recorder) -> None:
    def program() -> Any:
        provider = kubernetes.Provider("mine")
        opts = pulumi.ResourceOptions(provider=provider)
        return DockerServer("llama", args(workspace), opts).predict_url

    run(program)
    children = [r for r in recorder.requests.values() if r.type.startswith("kubernetes:")]
    assert len(children) == 3
    assert all("::mine::" in child.provider for child in children)


def test_what_the_platform_places_goes_before_the_stages_word(
    workspace: Workspace, recorder: Recorder
) -> None:
    def later(text: str) -> pulumi.Output[str]:
        return pulumi.Output.from_input(text)

    given = args(
        workspace,
        stage={"domain": None, "namespace": "ignored", "route": {"kind": "gateway"}},
        platform={
            "namespace": later("elsewhere"),
            "domain": later("example.org"),
            "gateway": {"name": later("g"), "namespace": later("gs")},
            "pull_secret": later("login"),
        },
    )
    run(lambda: DockerServer("llama", given).predict_url)
    route = recorder.inputs("llama-httproute")
    assert route["spec"]["hostnames"] == ["llama.example.org"]
    assert route["spec"]["parentRefs"] == [{"name": "g", "namespace": "gs"}]
    assert recorder.inputs("llama-deployment")["metadata"]["namespace"] == "elsewhere"
    pod = recorder.inputs("llama-deployment")["spec"]["template"]["spec"]
    assert pod["imagePullSecrets"] == [{"name": "login"}]


def test_pulumi_waits_for_as_long_as_the_plan_says(
    workspace: Workspace, recorder: Recorder
) -> None:
    stage = {"replicas": 2, "request_timeout": 10, "deadlines": {"provisioning": 0, "pull": 0}}
    run(lambda: DockerServer("llama", args(workspace, stage=stage)).predict_url)
    timeouts = recorder.requests["llama-deployment"].customTimeouts
    assert timeouts.create == timeouts.update == f"{2 * (20 + 1800 + 20 + 60) + 60}s"


def test_the_urls_have_the_port_and_scheme_of_the_route(
    workspace: Workspace, recorder: Recorder
) -> None:
    made: list[DockerServer] = []
    route = {"kind": "ingress", "controller": "traefik", "scheme": "http", "port": 8000}
    given = args(workspace, stage={"route": route})
    run(lambda: made.append(DockerServer("llama", given)))
    assert resolved(made[0].sync_url) == (
        "http://llama.models.example.com:8000/environments/dev/sync"
    )


def test_without_a_route_the_urls_are_the_services(
    workspace: Workspace, recorder: Recorder
) -> None:
    made: list[DockerServer] = []
    given = args(workspace, stage={"route": {"kind": "none"}})
    run(lambda: made.append(DockerServer("llama", given)))
    assert resolved(made[0].predict_url) == "http://llama.models.svc/predict"
    assert "llama-httproute" not in recorder.requests


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"stage": {"replicas": "x"}}, "args: stage.replicas: expected a whole number, found text"),
        ({"config_path": "nowhere"}, "args: config_path: there is no config.yaml at nowhere"),
        ({"secrets": {}}, "secrets.token: the stack has no value for the secret `token`"),
    ],
)
def test_nothing_is_registered_when_anything_is_wrong(
    workspace: Workspace, recorder: Recorder, change: dict[str, Any], line: str
) -> None:
    given = args(workspace, {"secrets": {"token": None}}, secrets={"token": "t"})
    if "stage" in change:
        change = {"stage": {**given["stage"], **change["stage"]}}
    with pytest.raises(pulumi.RunError) as caught:
        DockerServer("llama", {**given, **change})  # pyright: ignore[reportArgumentType]
    assert line in str(caught.value)
    assert recorder.requests == {}


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"stage": None}, "args: stage: the argument is missing; add `stage`"),
        ({"config_path": 3}, "args: config_path: the argument has another type"),
        ({"config": "server"}, "args: config: the argument is now `config_path`; use that name"),
        ({"secrets": "token"}, "args: secrets: expected a dict; give values by name"),
        ({"placment": {}}, "args: placment: unknown argument; use config_path, stage, overrides,"),
        ({"platform": {"namespce": "x"}}, "args: platform.namespce: unknown argument; use namesp"),
        ({"platform": {"gateway": "main"}}, "args: platform.gateway: expected a dict with the na"),
        (
            {"platform": {"gateway": {"namespace": "x"}}},
            "args: platform.gateway: expected a dict with the name of the Gateway",
        ),
        ({"overrides": {"replica": 2}}, "args: overrides.replica: unknown field; did you mean"),
        ({"overrides": {"path": "x"}}, "args: overrides.path: unknown field"),
    ],
)
def test_arguments_of_the_wrong_shape_are_told(
    workspace: Workspace, recorder: Recorder, change: dict[str, Any], line: str
) -> None:
    wrong: Any = {**args(workspace), **change}
    with pytest.raises(pulumi.RunError) as caught:
        DockerServer("llama", wrong)
    assert line in str(caught.value)
    assert recorder.requests == {}


def test_secrets_and_placement_may_be_left_empty(workspace: Workspace, recorder: Recorder) -> None:
    empty: Any = {**args(workspace), "secrets": None, "platform": None}
    run(lambda: DockerServer("llama", empty).predict_url)
    assert "llama-deployment" in recorder.requests


def test_a_locked_digest_is_what_runs(workspace: Workspace, recorder: Recorder) -> None:
    stage = {"tags": "locked", "digests": {"python:3.11-slim": DIGEST}}
    run(lambda: DockerServer("llama", args(workspace, stage=stage)).image)
    container = recorder.inputs("llama-deployment")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == f"python@{DIGEST}"
