"""The manifests: valid for Kubernetes, and saying what the plan says."""

# pyright: reportMissingTypeStubs=false

import itertools
import json
import re
import subprocess
from collections.abc import Callable
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from support.workspace import Workspace
from trussform.cli.render import objects
from trussform.manifests import Manifest
from trussform.manifests.deployment import escape_expansion
from trussform.plan import Plan

MakePlan = Callable[..., Plan]
CORE = {"Deployment", "Service", "Ingress"}

GPU = {"resources": {"accelerator": "H100:8"}}
SECRETS = {
    "secrets": {"token": None},
    "docker_server": {"start_command": "sh -c 'x /secrets/other'"},
}
USER = {"docker_server": {"run_as_user_id": 1000}}


def by_kind(plan: Plan) -> dict[str, Manifest]:
    return {manifest["kind"]: manifest for manifest in objects(plan)}


def pod(plan: Plan) -> Manifest:
    return by_kind(plan)["Deployment"]["spec"]["template"]["spec"]


def server(plan: Plan) -> Manifest:
    return pod(plan)["containers"][0]


@pytest.mark.parametrize(
    ("config", "stage"),
    list(
        itertools.product(
            [{}, GPU, SECRETS, USER, {**GPU, **SECRETS}, {"requirements": ["six"]}],
            [{}, {"secrets": {"existing": "mine"}, "pull_secret": "login", "replicas": 3}],
        )
    ),
)
def test_every_manifest_fits_kubernetes_schemas(
    plan: MakePlan, config: dict[str, Any], stage: dict[str, Any]
) -> None:
    checked = [
        kubernetes_validate.validate(manifest, "1.35", strict=True)
        for manifest in objects(plan(config, stage))
        if manifest["kind"] in CORE
    ]
    assert len(checked) == 2


@pytest.mark.parametrize("controller", ["traefik", "nginx"])
def test_ingresses_fit_kubernetes_schemas(workspace: Workspace, controller: str) -> None:
    made = ingress_plan(workspace, controller)
    ingresses = [manifest for manifest in objects(made) if manifest["kind"] == "Ingress"]
    for manifest in ingresses:
        kubernetes_validate.validate(manifest, "1.35", strict=True)
    assert [manifest["metadata"]["name"] for manifest in ingresses] == [
        "server-predict",
        "server-sync",
    ]


def ingress_plan(
    workspace: Workspace, controller: str, config: dict[str, Any] | None = None, **stage: Any
) -> Plan:
    route = {"kind": "ingress", "controller": controller}
    made, problems = workspace.plan(config, {"route": route, **stage})
    assert [problem for problem in problems if problem.level == "error"] == []
    return made


def test_readiness_stops_traffic_liveness_restarts_and_both_wait_for_the_start(
    plan: MakePlan,
) -> None:
    container = server(plan())
    assert container["startupProbe"]["httpGet"] == {"path": "/ready", "port": 8000}
    assert container["readinessProbe"]["httpGet"] == {"path": "/ready", "port": 8000}
    assert container["livenessProbe"]["httpGet"] == {"path": "/live", "port": 8000}
    assert container["startupProbe"]["failureThreshold"] == 1801


@pytest.mark.parametrize(("request_timeout", "grace"), [(None, 30), (5, 15)])
def test_a_hung_server_is_not_given_the_time_of_the_longest_request_to_end(
    plan: MakePlan, request_timeout: int | None, grace: int
) -> None:
    checks = {"runtime": {"health_checks": {"restart_check_delay_seconds": 7}}}
    container = server(plan(checks, {"request_timeout": request_timeout}))
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["terminationGracePeriodSeconds"] == grace
    assert "terminationGracePeriodSeconds" not in container["readinessProbe"]


def test_a_gpu_is_asked_for_found_by_label_and_tolerated(plan: MakePlan) -> None:
    spec = pod(plan(GPU))
    assert server(plan(GPU))["resources"]["limits"] == {"nvidia.com/gpu": "8"}
    (term,) = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ]
    assert term["matchExpressions"] == [
        {
            "key": "nvidia.com/gpu.product",
            "operator": "In",
            "values": ["NVIDIA-H100-80GB-HBM3", "NVIDIA-H100-PCIe", "NVIDIA-H100-NVL"],
        }
    ]
    assert spec["tolerations"][0]["key"] == "nvidia.com/gpu"


def test_model_metadata_becomes_labels_and_an_annotation(plan: MakePlan) -> None:
    told = {"tags": ["openai-compatible", "not a label"], "repo_id": "acme/größe"}
    config = {"model_metadata": {**told, "example_model_input": {"prompt": "x" * 9_000}}}
    metadata = by_kind(plan(config))["Deployment"]["metadata"]
    tags = {key: value for key, value in metadata["labels"].items() if key.startswith("tag.")}
    assert tags == {"tag.trussform/openai-compatible": "true"}
    assert json.loads(metadata["annotations"]["trussform/model-metadata"]) == told
    plain = by_kind(plan())["Deployment"]["metadata"]
    assert "annotations" not in plain
    assert tags.keys().isdisjoint(plain["labels"])


def test_cpu_and_memory_are_requests_and_never_limits(plan: MakePlan) -> None:
    resources = server(plan({"resources": {"cpu": "4", "memory": "10Gi"}}))["resources"]
    assert resources == {"requests": {"cpu": "4", "memory": "10Gi"}}


def test_shared_memory_is_in_memory_and_grows_with_the_gpus(plan: MakePlan) -> None:
    def shm(config: dict[str, Any]) -> Manifest:
        volumes = {volume["name"]: volume for volume in pod(plan(config))["volumes"]}
        return volumes["shm"]["emptyDir"]

    assert shm({}) == {"medium": "Memory", "sizeLimit": "1Gi"}
    assert shm(GPU) == {"medium": "Memory", "sizeLimit": "64Gi"}


def test_secrets_are_files_for_the_pods_group_and_nothing_else(plan: MakePlan) -> None:
    made = plan(SECRETS, {"secrets": {"existing": "mine"}})
    volumes = {volume["name"]: volume for volume in pod(made)["volumes"]}
    assert volumes["secrets"]["projected"] == {
        "defaultMode": 0o440,
        "sources": [
            {"secret": {"name": "mine", "optional": False,
                        "items": [{"key": "token", "path": "token"}]}},
            {"secret": {"name": "mine", "optional": True,
                        "items": [{"key": "other", "path": "other"}]}},
        ],
    }  # fmt: skip
    assert {"name": "secrets", "mountPath": "/secrets", "readOnly": True} in server(made)[
        "volumeMounts"
    ]
    assert pod(made)["securityContext"]["fsGroup"] > 0
    assert "token" not in str(server(made)["env"])


def test_the_operator_makes_the_secret_from_a_store(plan: MakePlan) -> None:
    store = {
        "store": "vault",
        "store_kind": "SecretStore",
        "path": "models/dev/",
        "refresh": "15m",
    }
    made = plan(SECRETS, {"secrets": store})
    order = by_kind(made)["ExternalSecret"]
    assert order["apiVersion"] == "external-secrets.io/v1"
    assert order["metadata"]["namespace"] == "models"
    assert order["spec"] == {
        "refreshInterval": "15m",
        "secretStoreRef": {"name": "vault", "kind": "SecretStore"},
        "target": {"name": "server-secrets", "creationPolicy": "Owner"},
        "data": [{"secretKey": "token", "remoteRef": {"key": "models/dev/token"}}],
    }
    volumes = {volume["name"]: volume for volume in pod(made)["volumes"]}
    (source,) = volumes["secrets"]["projected"]["sources"]
    assert source["secret"]["name"] == "server-secrets"
    kinds = [manifest["kind"] for manifest in objects(made)]
    assert kinds.index("ExternalSecret") < kinds.index("Deployment")
    assert "ExternalSecret" not in by_kind(plan(None, {"secrets": store}))
    assert "ExternalSecret" not in by_kind(plan(SECRETS, {"secrets": {"existing": "mine"}}))


def test_each_version_of_a_stores_secrets_is_another_secret(plan: MakePlan) -> None:
    """The operator does not read the store again for an order that it has carried out."""

    def names(version: str) -> set[str]:
        made = plan(SECRETS, {"secrets": {"store": "vault"}, "secrets_version": version})
        (volume,) = (volume for volume in pod(made)["volumes"] if volume["name"] == "secrets")
        (source,) = volume["projected"]["sources"]
        order = by_kind(made)["ExternalSecret"]
        return {
            order["metadata"]["name"],
            order["spec"]["target"]["name"],
            source["secret"]["name"],
        }

    (one,), (other,), (again,) = names("May 1st"), names("May 2nd"), names("May 1st")
    assert one == again != other
    assert re.fullmatch("server-secrets-[0-9a-f]{8}", one)


def test_a_root_image_keeps_its_app_and_a_user_gets_a_copy_of_it(plan: MakePlan) -> None:
    def mounts(made: Plan) -> list[str]:
        return [mount["mountPath"] for mount in server(made)["volumeMounts"]]

    assert "/app" not in mounts(plan())
    assert "/app" in mounts(plan(USER))
    (copy,) = pod(plan(USER))["initContainers"]
    assert copy["image"] == server(plan(USER))["image"]
    assert copy["securityContext"]["runAsUser"] == 1000
    assert "/tmp" not in mounts(plan())
    assert {"/tmp", "/workspace", "/packages"} <= set(mounts(plan(USER)))


def test_a_built_image_gives_app_to_its_user_itself(plan: MakePlan) -> None:
    assert "initContainers" not in pod(plan({**USER, "requirements": ["six"]}))


def test_the_pod_is_hardened_without_breaking_root_images(plan: MakePlan) -> None:
    spec = pod(plan())
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert server(plan())["securityContext"] == {"allowPrivilegeEscalation": False}
    assert server(plan(USER))["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 1000,
    }
    assert "workingDir" not in server(plan())


def test_a_stopping_pod_has_the_time_that_its_longest_request_may_take(plan: MakePlan) -> None:
    made = plan(None, {"request_timeout": 300})
    assert pod(made)["terminationGracePeriodSeconds"] == made.drain.grace > 300


def test_an_update_has_the_deadline_of_the_plan(plan: MakePlan) -> None:
    made = plan(None, {"deadlines": {"pull": 77}})
    spec = by_kind(made)["Deployment"]["spec"]
    assert spec["progressDeadlineSeconds"] == made.deadlines.progress > 77


@pytest.mark.parametrize(("spare", "surge", "unavailable"), [(0, 0, 1), (1, 1, 0)])
def test_an_update_takes_what_the_plan_allows(
    plan: MakePlan, spare: int, surge: int, unavailable: int
) -> None:
    made = plan({"resources": {"accelerator": "L4"}}, {"spare_gpus": spare})
    assert by_kind(made)["Deployment"]["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable},
    }


@pytest.mark.parametrize("kind", ["http", "websocket", "grpc"])
def test_the_service_finds_the_port_of_each_pod_by_name(plan: MakePlan, kind: str) -> None:
    """An update may change the port: the old pods keep theirs."""
    transport = {"runtime": {"transport": {"kind": kind}}}
    names = set[str]()
    for port in (8000, 9000):
        made = plan({**transport, "docker_server": {"server_port": port}})
        (target,) = by_kind(made)["Service"]["spec"]["ports"]
        (container,) = by_kind(made)["Deployment"]["spec"]["template"]["spec"]["containers"]
        assert container["ports"] == [{"name": target["targetPort"], "containerPort": port}]
        names.add(target["targetPort"])
    assert len(names) == 1


def test_the_stages_service_account_is_the_pods(plan: MakePlan) -> None:
    assert (
        pod(plan(None, {"pod": {"service_account": "fetcher"}}))["serviceAccountName"] == "fetcher"
    )
    assert "serviceAccountName" not in pod(plan())


def test_weights_are_not_handed_to_the_pods_group_at_each_start(plan: MakePlan) -> None:
    assert pod(plan())["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"


def test_the_effective_config_is_in_the_pod_at_apps_config_yaml(plan: MakePlan) -> None:
    made = plan({"model_name": "m"}, {"servers": {"server": {"config": {"description": "here"}}}})
    template = by_kind(made)["Deployment"]["spec"]["template"]
    config = yaml.safe_load(template["metadata"]["annotations"]["trussform/config.yaml"])
    assert (config["model_name"], config["description"]) == ("m", "here")


def test_a_secrets_version_rolls_the_pods(plan: MakePlan) -> None:
    def template(version: str) -> Manifest:
        stage = {"secrets": {"existing": "mine"}, "secrets_version": version}
        return by_kind(plan(SECRETS, stage))["Deployment"]["spec"]["template"]

    assert template("1") != template("2")


def test_the_route_rewrites_predict_exactly_and_strips_sync(plan: MakePlan) -> None:
    spec = by_kind(plan())["HTTPRoute"]["spec"]
    assert spec["hostnames"] == ["server.models.example.com"]
    assert spec["parentRefs"] == [{"name": "public", "namespace": "gateways"}]
    rules = [
        (rule["matches"][0]["path"], rule["filters"][0]["urlRewrite"]["path"])
        for rule in spec["rules"]
    ]
    assert rules == [
        (
            {"type": "Exact", "value": "/environments/dev/predict"},
            {"type": "ReplaceFullPath", "replaceFullPath": "/predict"},
        ),
        (
            {"type": "PathPrefix", "value": "/environments/dev/sync"},
            {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"},
        ),
    ]


@pytest.mark.parametrize(("timeout", "spelled"), [(None, "0s"), (90, "90s")])
def test_no_stream_is_cut_unless_the_stage_says_so(
    plan: MakePlan, timeout: int | None, spelled: str
) -> None:
    rules = by_kind(plan(None, {"request_timeout": timeout}))["HTTPRoute"]["spec"]["rules"]
    assert {rule["timeouts"]["request"] for rule in rules} == {spelled}


def test_traefik_gets_its_middlewares(workspace: Workspace) -> None:
    manifests = objects(ingress_plan(workspace, "traefik"))
    rewrites = {m["metadata"]["name"]: m["spec"] for m in manifests if m["kind"] == "Middleware"}
    assert rewrites == {
        "server-predict": {"replacePath": {"path": "/predict"}},
        "server-sync": {"stripPrefix": {"prefixes": ["/environments/dev/sync"]}},
    }
    used = {
        m["metadata"]["annotations"]["traefik.ingress.kubernetes.io/router.middlewares"]
        for m in manifests
        if m["kind"] == "Ingress"
    }
    assert used == {
        "models-server-predict@kubernetescrd",
        "models-server-sync@kubernetescrd",
    }


def test_short_paths_go_where_the_full_ones_go(workspace: Workspace, plan: MakePlan) -> None:
    stage = {"environment": "production"}
    bases = ("/environments/production", "/production", "")
    rules = by_kind(plan(None, stage))["HTTPRoute"]["spec"]["rules"]
    made = [
        (rule["matches"], list(rule["filters"][0]["urlRewrite"]["path"].values())[1])
        for rule in rules
    ]
    assert made == [
        *(([{"path": {"type": "Exact", "value": f"{base}/predict"}}], "/predict")
          for base in bases),
        *(([{"path": {"type": "PathPrefix", "value": f"{base}/sync"}}], "/") for base in bases),
    ]  # fmt: skip
    by_traefik = objects(ingress_plan(workspace, "traefik", None, **stage))
    (stripped,) = (
        m["spec"]
        for m in by_traefik
        if (m["kind"], m["metadata"]["name"]) == ("Middleware", "server-sync")
    )
    assert stripped == {"stripPrefix": {"prefixes": [f"{base}/sync" for base in bases]}}


def test_traefiks_prefixes_end_where_a_name_in_the_path_ends(workspace: Workspace) -> None:
    paths = [
        (path["pathType"], path["path"].removeprefix("/environments/dev"))
        for manifest in objects(ingress_plan(workspace, "traefik"))
        if manifest["kind"] == "Ingress"
        for path in manifest["spec"]["rules"][0]["http"]["paths"]
    ]
    assert paths == [("Exact", "/predict"), ("Exact", "/sync"), ("Prefix", "/sync/")]


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("/environments/dev/predict", "/predict"),
        ("/environments/dev/sync", "/"),
        ("/environments/dev/sync/", "/"),
        ("/environments/dev/sync/v1/a b", "/v1/a b"),
        ("/environments/dev/predict/x", None),
        ("/environments/dev/syncope", None),
        ("/environments/prod/predict", None),
        ("/production/predict", "/predict"),
        ("/predict", "/predict"),
        ("/sync/v1/models", "/v1/models"),
        ("/production/sync", "/"),
        ("/production/syncope", None),
        ("/syncope", None),
    ],
)
def test_nginxs_patterns_rewrite_as_nginx_reads_them(
    workspace: Workspace, path: str, inside: str | None
) -> None:
    reached = None
    path = path.replace("/dev/", "/production/")
    for manifest in objects(ingress_plan(workspace, "nginx", environment="production")):
        if manifest["kind"] != "Ingress":
            continue
        target = manifest["metadata"]["annotations"]["nginx.ingress.kubernetes.io/rewrite-target"]
        for rule in manifest["spec"]["rules"][0]["http"]["paths"]:
            if re.match(rule["path"], path):
                reached = re.sub(rf"^{rule['path']}.*", target.replace("$", "\\"), path)
    assert reached == inside


GRPC = {"runtime": {"transport": {"kind": "grpc"}}}
SKIP = {"pulumi.com/skipAwait": "true"}
"""Pulumi does not wait for the object."""


def test_a_grpc_server_gets_a_grpc_route_and_grpc_probes(plan: MakePlan) -> None:
    made = plan(GRPC)
    spec = by_kind(made)["GRPCRoute"]["spec"]
    assert spec["hostnames"] == ["server.models.example.com"]
    assert spec["rules"] == [{"backendRefs": [{"name": "server", "port": 80}]}]
    (port,) = by_kind(made)["Service"]["spec"]["ports"]
    assert (port["name"], port["appProtocol"]) == ("grpc", "kubernetes.io/h2c")
    assert by_kind(made)["Service"]["metadata"]["annotations"] == SKIP
    assert server(made)["ports"] == [{"name": "grpc", "containerPort": 8000}]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert server(made)[probe]["grpc"] == {"port": 8000}
        assert "httpGet" not in server(made)[probe]


@pytest.mark.parametrize(
    ("controller", "of_service", "of_ingress"),
    [
        ("traefik", {"traefik.ingress.kubernetes.io/service.serversscheme": "h2c"}, {}),
        (
            "nginx",
            {},
            {
                "nginx.ingress.kubernetes.io/backend-protocol": "GRPC",
                "nginx.ingress.kubernetes.io/proxy-body-size": "0",
                "nginx.ingress.kubernetes.io/proxy-read-timeout": "86400",
                "nginx.ingress.kubernetes.io/proxy-send-timeout": "86400",
            },
        ),
    ],
)
def test_an_ingress_brings_grpc_to_the_server(
    workspace: Workspace,
    controller: str,
    of_service: dict[str, str],
    of_ingress: dict[str, str],
) -> None:
    made = by_kind(ingress_plan(workspace, controller, GRPC))
    assert made["Service"]["metadata"]["annotations"] == {**SKIP, **of_service}
    about = made["Ingress"]["metadata"]
    assert about["annotations"] == {**SKIP, **of_ingress}
    assert about["name"] == "server-grpc"
    assert "Middleware" not in made
    (rule,) = made["Ingress"]["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert (path["path"], path["pathType"]) == ("/", "Prefix")
    for core in ("Ingress", "Service"):
        kubernetes_validate.validate(made[core], "1.35", strict=True)


def expanded(text: str) -> str:
    """Returns an argument as the kubelet expands it if no variable has its names: `$$` becomes
    `$`, and `$(NAME)` would be replaced by the value, which is marked here."""
    result, i = "", 0
    while i < len(text):
        if text[i] == "$" and text[i + 1 : i + 2] == "$":
            result, i = result + "$", i + 2
        elif text[i] == "$" and text[i + 1 : i + 2] == "(" and ")" in text[i:]:
            return "a variable was replaced"
        else:
            result, i = result + text[i], i + 1
    return result


@given(st.text("$()aA_ ", max_size=20))
def test_kubernetes_gives_every_text_back_unchanged(text: str) -> None:
    assert expanded(escape_expansion(text)) == text


def test_the_examples_command_keeps_its_command_substitution(plan: MakePlan) -> None:
    command = {"docker_server": {"start_command": 'sh -c "T=$(cat f) serve"'}}
    assert server(plan(command))["command"] == ["sh", "-c", "T=$$(cat f) serve"]


def test_what_has_a_shell_gets_a_hook_and_other_images_a_sleep(plan: MakePlan) -> None:
    """A no_build image that runs by its own command may have no shell."""
    hook = server(plan())["lifecycle"]["preStop"]["exec"]["command"]
    assert [*hook[:2], *hook[3:]] == ["sh", "-c", "pre-stop", "5", "600", "1F40"]
    own = {"docker_server": {"no_build": True, "start_command": None}}
    assert server(plan(own))["lifecycle"]["preStop"] == {"sleep": {"seconds": 5}}


def test_a_servers_host_is_a_variable_of_the_container_unless_the_config_sets_it(
    plan: MakePlan,
) -> None:
    command = {"docker_server": {"start_command": "sh -c 'llama-server -m m'"}}
    assert {"name": "LLAMA_ARG_HOST", "value": "0.0.0.0"} in server(plan(command))["env"]
    own = {**command, "environment_variables": {"LLAMA_ARG_HOST": "::"}}
    hosts = [one for one in server(plan(own))["env"] if one["name"] == "LLAMA_ARG_HOST"]
    assert hosts == [{"name": "LLAMA_ARG_HOST", "value": "::"}]


def test_the_text_of_variables_is_not_expanded_by_kubernetes(plan: MakePlan) -> None:
    made = plan({"environment_variables": {"A": "$(B)", "APP_HOME": "/elsewhere"}})
    variables = server(made)["env"]
    assert {"name": "APP_HOME", "value": "/elsewhere"} in variables
    assert {"name": "A", "value": "$$(B)"} in variables


def test_a_user_in_an_image_that_was_not_built_for_it_has_a_home(plan: MakePlan) -> None:
    def home(config: dict[str, Any]) -> list[str]:
        return [entry["value"] for entry in server(plan(config))["env"] if entry["name"] == "HOME"]

    assert home(USER) == ["/tmp"]
    assert home({**USER, "requirements": ["six"]}) == []
    assert home({"docker_server": {"run_as_user_id": 1000, "no_build": True}}) == []
    assert home({**USER, "environment_variables": {"HOME": "/mine"}}) == ["/mine"]


def test_probes_wait_as_long_as_the_config_says(plan: MakePlan) -> None:
    checks = {"health_checks": {"restart_check_delay_seconds": 7}}
    container = server(plan({"runtime": checks}))
    assert container["livenessProbe"]["initialDelaySeconds"] == 7
    probes = [container[name] for name in ("startupProbe", "readinessProbe", "livenessProbe")]
    assert [probe["periodSeconds"] for probe in probes] == [1, 10, 10]
    assert {probe["timeoutSeconds"] for probe in probes} == {5}


def test_the_stages_own_names_are_used(workspace: Workspace, plan: MakePlan) -> None:
    made = plan(GPU, {"gpu": {"resource": "example.com/gpu"}, "route": {"listener": "https"}})
    assert server(made)["resources"]["limits"] == {"example.com/gpu": "8"}
    assert pod(made)["tolerations"][0]["key"] == "example.com/gpu"
    assert by_kind(made)["HTTPRoute"]["spec"]["parentRefs"][0]["sectionName"] == "https"


def test_nginx_streams_and_takes_bodies_of_any_size(workspace: Workspace) -> None:
    ingress = by_kind(ingress_plan(workspace, "nginx"))["Ingress"]
    prefix = "nginx.ingress.kubernetes.io/"
    annotations = ingress["metadata"]["annotations"]
    assert annotations[f"{prefix}proxy-buffering"] == "off"
    assert annotations[f"{prefix}proxy-body-size"] == "0"
    assert annotations[f"{prefix}proxy-read-timeout"] == "86400"
    assert annotations[f"{prefix}proxy-send-timeout"] == "86400"
    assert ingress["spec"]["ingressClassName"] == "nginx"


WEIGHTS = {
    "weights": [{"source": "hf://o/m@main", "mount_location": "/models/m"}],
    "model_cache": [],
    "secrets": {"hf_access_token": None},
}


@pytest.mark.parametrize(
    ("storage", "volume"),
    [
        ({"kind": "claim"}, {"persistentVolumeClaim": {"claimName": "server-weights"}}),
        (
            {"kind": "existing", "claim": "models"},
            {"persistentVolumeClaim": {"claimName": "models"}},
        ),
        (
            {"kind": "node", "path": "/data"},
            {"hostPath": {"path": "/data", "type": "DirectoryOrCreate"}},
        ),
    ],
)
def test_weights_are_fetched_before_the_server_and_seen_by_it(
    plan: MakePlan, storage: dict[str, Any], volume: dict[str, Any]
) -> None:
    made = plan(WEIGHTS, {"weights": {"storage": storage}, "secrets": {"existing": "mine"}})
    for manifest in objects(made):
        if manifest["kind"] in (*CORE, "PersistentVolumeClaim"):
            kubernetes_validate.validate(manifest, "1.35", strict=True)
    spec = pod(made)
    (source,) = made.weights.sources
    assert {"name": "weights", **volume} in spec["volumes"]
    seen = {"name": "weights", "mountPath": "/models/m", "subPath": source.folder, "readOnly": True}
    assert seen in spec["containers"][0]["volumeMounts"]
    (fetch,) = spec["initContainers"]
    places = [mount["mountPath"] for mount in fetch["volumeMounts"]]
    assert places == ["/weights", "/opt/trussform/fetcher", "/secrets"]
    assert ("PersistentVolumeClaim" in by_kind(made)) == (storage["kind"] == "claim")


def test_a_claim_asks_for_what_the_stage_says(plan: MakePlan) -> None:
    storage = {
        "kind": "claim",
        "size": "2Ti",
        "storage_class": "fast",
        "access_mode": "ReadWriteMany",
    }
    mine = {"servers": {"server": {"weights": {"storage": storage}}}}
    assert by_kind(plan(WEIGHTS, mine))["PersistentVolumeClaim"]["spec"] == {
        "accessModes": ["ReadWriteMany"],
        "resources": {"requests": {"storage": "2Ti"}},
        "storageClassName": "fast",
    }


def test_truss_transfer_cli_has_a_stand_in(plan: MakePlan) -> None:
    made = plan(WEIGHTS)
    assert "/usr/local/bin/truss-transfer-cli" in [
        m["mountPath"] for m in server(made)["volumeMounts"]
    ]
    template = by_kind(made)["Deployment"]["spec"]["template"]
    script = template["metadata"]["annotations"]["trussform/truss-transfer-cli"]
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == "truss-transfer-cli: the weights are there: /models/m\n"


def test_what_fetches_runs_as_the_servers_user(plan: MakePlan) -> None:
    def security(config: dict[str, Any], storage: dict[str, Any]) -> dict[str, Any]:
        spec = pod(plan({**WEIGHTS, **config}, {"weights": {"storage": storage}}))
        return spec["initContainers"][-1]["securityContext"]

    plain = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert security({}, {"kind": "claim"}) == plain
    assert security(USER, {"kind": "claim"}) == {**plain, "runAsNonRoot": True, "runAsUser": 1000}
    # Only root can write to a folder that the kubelet has made on the node.
    assert security(USER, {"kind": "node"}) == {**plain, "runAsUser": 0}


def egress(**lists: Any) -> dict[str, Any]:
    return {"runtime": {"egress_restrictions": lists}}


@pytest.mark.parametrize(
    ("restrictions", "rules"),
    [
        ({}, []),
        ({"ip_allow_list": [], "fqdn_allow_list": None}, []),
        ({"ip_allow_list": ["10.1.2.3/8", "8.8.8.8"]},
         [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}, {"ipBlock": {"cidr": "8.8.8.8/32"}}]}]),
    ],
)  # fmt: skip
def test_egress_is_closed_but_for_the_addresses(
    plan: MakePlan, restrictions: dict[str, Any], rules: list[Any]
) -> None:
    made = by_kind(plan(egress(**restrictions)))
    policy = made["NetworkPolicy"]
    kubernetes_validate.validate(policy, "1.35", strict=True)
    assert (policy["spec"]["policyTypes"], policy["spec"]["egress"]) == (["Egress"], rules)
    labels = made["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()


def test_egress_without_restrictions_is_open(plan: MakePlan) -> None:
    assert "NetworkPolicy" not in by_kind(plan())
    assert "NetworkPolicy" not in by_kind(plan({"runtime": {"egress_restrictions": None}}))


def test_names_of_egress_need_cilium(plan: MakePlan, workspace: Workspace) -> None:
    config = egress(fqdn_allow_list=["*.example.com", "example.org"], ip_allow_list=["8.8.8.8"])
    (problem,) = workspace.plan(config)[1]
    assert problem.level == "error"
    assert problem.field == "runtime.egress_restrictions.fqdn_allow_list"
    policy = by_kind(plan(config, {"network_policy": "cilium"}))["CiliumNetworkPolicy"]
    _, by_name, by_address = policy["spec"]["egress"]
    assert by_name == {"toFQDNs": [{"matchPattern": "*.example.com"}, {"matchName": "example.org"}]}
    assert by_address == {"toCIDR": ["8.8.8.8/32"]}
