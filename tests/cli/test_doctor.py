"""`trussform doctor` with a kubectl that gives recorded answers."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from support.kubectl import write_kubectl
from support.workspace import Workspace
from trussform.cli.app import app
from typer.testing import CliRunner, Result

HTTP_ROUTES = "get crd httproutes.gateway.networking.k8s.io"
GATEWAY = "get gateways.gateway.networking.k8s.io public -n gateways"
CLASS = "get gatewayclasses.gateway.networking.k8s.io envoy"
PODS = "get pods --all-namespaces --field-selector status.phase!=Succeeded,status.phase!=Failed"
STAGE: dict[str, Any] = {
    "route": {"kind": "gateway", "name": "public", "controller": "envoy-gateway"},
    "ingress_from": [{"namespace": "gateways"}],
}
CONFIG: dict[str, Any] = {"resources": {"accelerator": "L4", "memory": "8Gi"}}


def kinds(*names: str) -> Any:
    return {"resources": [{"kind": name} for name in names]}


def node(name: str = "gpu-1", **changes: Any) -> Any:
    labels = changes.get("labels", {"nvidia.com/gpu.product": "NVIDIA-L4"})
    allocatable = {"cpu": "8", "memory": "32Gi", "pods": "110", "nvidia.com/gpu": "1"}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"taints": changes.get("taints", [])},
        "status": {"allocatable": {**allocatable, **changes.get("allocatable", {})}},
    }


def pod(name: str, **requests: str) -> Any:
    amounts = {"nvidia.com/gpu": "1", **requests}
    return {
        "metadata": {"namespace": "models", "labels": {"app.kubernetes.io/name": name}},
        "spec": {"nodeName": "gpu-1", "containers": [{"resources": {"requests": amounts}}]},
    }


def gateway(programmed: str = "True", **listener: Any) -> Any:
    allowed = {"namespaces": {"from": "All"}}
    condition = {"type": "Programmed", "status": programmed, "message": "no addresses"}
    return {
        "spec": {
            "gatewayClassName": "envoy",
            "listeners": [{"name": "http", "allowedRoutes": allowed, **listener}],
        },
        "status": {"conditions": [condition]},
    }


def gateway_class(controller: str) -> Any:
    return {"spec": {"controllerName": controller}}


GOOD: dict[str, Any] = {
    "version": {"serverVersion": {"major": "1", "minor": "35+"}},
    "config current-context": {},
    "get --raw /api/v1": kinds("Service"),
    "get --raw /apis/apps/v1": kinds("Deployment"),
    "get --raw /apis/networking.k8s.io/v1": kinds("NetworkPolicy"),
    "get --raw /apis/gateway.networking.k8s.io/v1": kinds("HTTPRoute", "Gateway"),
    "get --raw /apis/gateway.envoyproxy.io/v1alpha1": kinds("BackendTrafficPolicy"),
    "get --raw /apis": {"groups": [{"name": "apps"}]},
    HTTP_ROUTES: {"metadata": {"annotations": {
        "gateway.networking.k8s.io/bundle-version": "v1.4.0",
    }}},
    "get namespace models": {"metadata": {"labels": {"team": "ml"}}},
    GATEWAY: gateway(),
    CLASS: gateway_class("gateway.envoyproxy.io/gatewayclass-controller"),
    "get nodes": {"items": [node()]},
    PODS: {"items": []},
    "try apply": "",
    "try create": "",
}  # fmt: skip


class Machine:
    """A machine with the workspace's stack, and with a kubectl of these answers."""

    def __init__(self, workspace: Workspace, patch: pytest.MonkeyPatch) -> None:
        self.workspace, self.folder = workspace, workspace.folder / "bin"
        self.folder.mkdir()
        patch.setenv("PATH", f"{self.folder}{os.pathsep}{os.environ['PATH']}")

    def doctor(
        self,
        answers: Mapping[str, Any],
        stage: Mapping[str, Any] = STAGE,
        config: Mapping[str, Any] = CONFIG,
        *options: str,
    ) -> Result:
        write_kubectl(self.folder, answers)
        self.workspace.write_config(dict(config))
        stack = self.workspace.write_stack(dict(stage))
        return CliRunner().invoke(app, ["doctor", "--stack", str(stack), *options])


@pytest.fixture
def machine(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(workspace, monkeypatch)


def test_a_good_cluster_has_only_fine_lines(machine: Machine) -> None:
    result = machine.doctor(GOOD)
    assert result.stdout.splitlines() == [
        "fine: version: the kube-apiserver has version 1.35",
        "fine: API: the cluster has all 5 kinds of objects",
        "fine: Gateway API: version v1.4.0",
        "fine: namespace models: exists",
        "fine: Gateway gateways/public: is programmed and accepts the routes",
        "fine: nodes for server: 1 node with room for 1 pod",
        "fine: admission: the cluster accepts 5 objects and 1 pod in a dry run",
    ]
    assert (result.stderr, result.exit_code) == ("0 problems, 0 warnings\n", 0)


FAULTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "an old apiserver": (
        {"version": {"serverVersion": {"major": "1", "minor": "28"}}},
        [
            "problem: version: the kube-apiserver has version 1.28; "
            "upgrade the cluster to 1.30 or later"
        ],
    ),
    "no CRD": (
        {"get --raw /apis/gateway.envoyproxy.io/v1alpha1": None},
        [
            "problem: API: the cluster has no BackendTrafficPolicy in "
            "gateway.envoyproxy.io/v1alpha1; install Envoy Gateway"
        ],
    ),
    "an old Gateway API": (
        {HTTP_ROUTES: {"metadata": {"annotations": {
            "gateway.networking.k8s.io/bundle-version": "v1.0.0",
        }}}},
        ["problem: Gateway API: version v1.0.0 is too old; install 1.2 or later"],
    ),
    "no Gateway": (
        {GATEWAY: None},
        [
            "problem: Gateway gateways/public: does not exist; create it, or correct `route.name` "
            "and `route.namespace` of the stage"
        ],
    ),
    "a Gateway that is not programmed": (
        {GATEWAY: gateway("False")},
        [
            "problem: Gateway gateways/public: is not programmed: no addresses; "
            "check that its controller runs"
        ],
    ),
    "a Gateway without its class": (
        {CLASS: None},
        [
            "problem: Gateway gateways/public: its GatewayClass does not exist; "
            "install the controller"
        ],
    ),
    "another controller": (
        {CLASS: gateway_class("traefik.io/gateway-controller")},
        [
            "problem: Gateway gateways/public: the controller traefik.io/gateway-controller runs "
            "it, and the stage has `controller: envoy-gateway`; write `controller: traefik`"
        ],
    ),
    "an unknown controller": (
        {CLASS: gateway_class("example.com/gateway")},
        [
            "problem: Gateway gateways/public: the controller example.com/gateway runs it, and the "
            "stage has `controller: envoy-gateway`; remove `controller` from the route"
        ],
    ),
    "a listener for its own namespace": (
        {GATEWAY: gateway(allowedRoutes={})},
        [
            "problem: Gateway gateways/public: no listener accepts routes of the namespace "
            "`models`; set `allowedRoutes.namespaces` of the listener"
        ],
    ),
    "a listener for other labels": (
        {GATEWAY: gateway(allowedRoutes={"namespaces": {
            "from": "Selector", "selector": {"matchLabels": {"team": "web"}},
        }})},
        [
            "problem: Gateway gateways/public: no listener accepts routes of the namespace "
            "`models`; set `allowedRoutes.namespaces` of the listener"
        ],
    ),
    "a listener for another host": (
        {GATEWAY: gateway(hostname="*.example.org")},
        [
            "problem: Gateway gateways/public: no listener has the host "
            "`server.models.example.com`; they have *.example.org; correct `domain` of the stage"
        ],
    ),
    "no GPU of the kind": (
        {"get nodes": {"items": [node(labels={"nvidia.com/gpu.product": "Tesla-T4"})]}},
        [
            "problem: nodes for server: no node has nvidia.com/gpu.product in [NVIDIA-L4]; "
            "add such a node, or correct the stage"
        ],
    ),
    "no GPU of the kind, with Karpenter": (
        {"get nodes": {"items": []}, "get --raw /apis": {"groups": [{"name": "karpenter.sh"}]}},
        [
            "warning: nodes for server: no node has nvidia.com/gpu.product in [NVIDIA-L4]; "
            "add such a node, or correct the stage, or wait for the node autoscaler"
        ],
    ),
    "a taint": (
        {"get nodes": {"items": [node(taints=[
            {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"},
        ])]}},
        [
            "problem: nodes for server: the pods do not tolerate the taint "
            "dedicated=gpu:NoSchedule of the node gpu-1; add it to `gpu.tolerations` of the stage"
        ],
    ),
    "a cordoned node": (
        {"get nodes": {"items": [node(taints=[
            {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"},
        ])]}},
        [
            "problem: nodes for server: the node gpu-1 is cordoned; run: kubectl uncordon gpu-1"
        ],
    ),
    "no device plugin": (
        {"get nodes": {"items": [node(allocatable={"nvidia.com/gpu": "0"})]}},
        [
            "problem: nodes for server: the nodes offer no `nvidia.com/gpu`; check the GPU's "
            "device plugin, and `gpu.resource` of the stage"
        ],
    ),
    "a GPU that another pod has": (
        {PODS: {"items": [pod("other")]}},
        [
            "problem: nodes for server: room for 0 pods of 1; `nvidia.com/gpu` is short; "
            "free some of it, or lower `replicas`"
        ],
    ),
    "nodes that are too small": (
        {"get nodes": {"items": [node(allocatable={"memory": "4Gi"})]}},
        [
            "problem: nodes for server: a pod requests 8Gi of `memory`, and the largest node has "
            "4Gi; lower the request, or add a larger node"
        ],
    ),
    "Pod Security": (
        {"try create": 'Error from server (Forbidden): error when creating "STDIN": pods '
         '"server-doctor" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot'},
        [
            'problem: admission: pods "server-doctor" is forbidden: violates PodSecurity '
            '"restricted:latest": runAsNonRoot; set `run_as_user_id` in the config, or lower the '
            "level of the namespace"
        ],
    ),
    "a quota": (
        {"try create": 'Error from server (Forbidden): error when creating "STDIN": pods '
         '"server-doctor" is forbidden: exceeded quota: small, requested: pods=1'},
        [
            'problem: admission: pods "server-doctor" is forbidden: exceeded quota: small, '
            "requested: pods=1; raise the ResourceQuota, or lower `pod.requests` of the stage"
        ],
    ),
    "a warning of the cluster": (
        {"try create": "Warning: would violate PodSecurity"},
        [
            "warning: admission: would violate PodSecurity; set `run_as_user_id` in the config, or "
            "lower the level of the namespace"
        ],
    ),
    "nodes that the user may not read": (
        {"get nodes": 'Error from server (Forbidden): nodes is forbidden: User "ci" cannot list'},
        [
            'warning: nodes: not checked: Error from server (Forbidden): nodes is forbidden: User '
            '"ci" cannot list; ask for read access, or check it yourself'
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_line_with_its_remedy(machine: Machine, fault: str) -> None:
    changes, lines = FAULTS[fault]
    result = machine.doctor({**GOOD, **changes})
    assert [line for line in result.stdout.splitlines() if not line.startswith("fine")] == lines
    assert result.exit_code == (1 if lines[0].startswith("problem") else 0)


REFERENCES: dict[str, Any] = {
    "auth": {"kind": "api-key", "existing": "clients"},
    "pull_secret": "login",
    "secrets": {"existing": "mine"},
    "pod": {"priority_class": "serving", "service_account": "reader"},
    "gpu": {"runtime_class": "nvidia"},
    "weights": {"storage": {"kind": "existing", "claim": "models"}},
}


def test_every_object_that_the_stage_names_must_exist(machine: Machine) -> None:
    weights = [{"source": f"hf://o/m@{'0' * 40}", "mount_location": "/models/m"}]
    config = {**CONFIG, "secrets": {"token": None}, "weights": weights}
    present: dict[str, Any] = {"get secret login --namespace models": {}}
    result = machine.doctor({**GOOD, **present}, STAGE | REFERENCES, config)
    lines = [line for line in result.stdout.splitlines() if " does not exist; " in line]
    assert lines == [
        f"problem: {subject}: does not exist; create it, or correct `{field}` of the stage"
        for subject, field in (
            ("secret models/mine", "secrets.existing"),
            ("secret models/clients", "auth.existing"),
            ("serviceaccount models/reader", "pod.service_account"),
            ("persistentvolumeclaim models/models", "weights.storage.claim"),
            ("priorityclass serving", "pod.priority_class"),
            ("runtimeclass nvidia", "pod.runtime_class or gpu.runtime_class"),
        )
    ]
    assert "fine: secret models/login: exists" in result.stdout


def test_a_route_by_ingress_needs_its_class_and_its_issuer(machine: Machine) -> None:
    route = {"kind": "ingress", "controller": "traefik", "tls": {"issuer": "ca"}}
    result = machine.doctor(GOOD, {**STAGE, "route": route})
    assert "problem: ingressclass traefik: does not exist" in result.stdout
    assert "problem: clusterissuer ca: does not exist" in result.stdout


def test_a_claim_without_a_class_needs_a_default_class(machine: Machine) -> None:
    weights = [{"source": f"hf://o/m@{'0' * 40}", "mount_location": "/models/m"}]
    config = {**CONFIG, "weights": weights}
    metadata: dict[str, Any] = {"name": "fast"}
    answers = {**GOOD, "get storageclasses": {"items": [{"metadata": metadata}]}}
    assert (
        "problem: StorageClass: the cluster has no default; "
        "set `weights.storage.storage_class` of the stage: fast"
    ) in machine.doctor(answers, config=config).stdout
    metadata["annotations"] = {"storageclass.kubernetes.io/is-default-class": "true"}
    assert (
        "fine: StorageClass: `fast` is the default" in machine.doctor(answers, config=config).stdout
    )


def test_the_servers_own_pods_do_not_take_its_room(machine: Machine) -> None:
    result = machine.doctor({**GOOD, PODS: {"items": [pod("server")]}})
    assert "fine: nodes for server: 1 node with room for 1 pod" in result.stdout


def test_two_servers_cannot_have_the_same_gpu(machine: Machine) -> None:
    servers = {"server": {"path": "server"}, "third": {"path": "server"}}
    result = machine.doctor(GOOD, {**STAGE, "servers": servers})
    assert "fine: nodes for server: 1 node with room for 1 pod" in result.stdout
    assert "problem: nodes for third: room for 0 pods of 1" in result.stdout


def test_a_namespace_that_nobody_creates_is_a_problem(machine: Machine) -> None:
    answers = {**GOOD, "get namespace models": None}
    assert (
        "fine: namespace models: does not exist; `pulumi up` creates it"
        in machine.doctor(answers).stdout
    )
    result = machine.doctor(answers, {**STAGE, "create_namespace": False})
    assert (
        "problem: namespace models: does not exist; create it, or set `create_namespace: true` in "
        "the stage"
    ) in result.stdout
    assert "admission" not in result.stdout


def test_a_registry_that_does_not_answer_is_a_problem(machine: Machine) -> None:
    stage = {**STAGE, "registry": "127.0.0.1:9/models"}
    result = machine.doctor(GOOD, stage, {**CONFIG, "requirements": ["six"]})
    assert (
        "problem: registry 127.0.0.1:9: does not answer this machine: ConnectionError; "
        "check the network, or correct `registry` of the stage"
    ) in result.stdout


@pytest.mark.parametrize(
    ("answers", "options", "line"),
    [
        (
            {"version": "error: current-context must exist"},
            (),
            "no current context is set; run: kubectl config use-context NAME",
        ),
        (
            {"version": 'error: context "prod" does not exist'},
            ("--context", "prod"),
            "the context `prod` does not exist; run: kubectl config get-contexts",
        ),
        (
            {
                "version": "Error: dial tcp 127.0.0.1:6443: connect: connection refused",
                "config current-context": {},
            },
            (),
            "the cluster does not answer: Error: dial tcp 127.0.0.1:6443: connect: connection "
            "refused; check the kubeconfig and the network",
        ),
    ],
)
def test_a_cluster_that_cannot_be_read_is_one_line(
    machine: Machine, answers: dict[str, Any], options: tuple[str, ...], line: str
) -> None:
    result = machine.doctor(answers, STAGE, CONFIG, *options)
    assert (result.stdout, result.stderr, result.exit_code) == ("", f"kubectl: {line}\n", 1)


def test_no_kubectl_is_one_line(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine.doctor(GOOD)
    monkeypatch.setenv("PATH", str(tmp_path))
    stack = str(machine.workspace.stack)
    result = CliRunner().invoke(app, ["doctor", "--stack", stack])
    assert result.exit_code == 1
    assert result.stderr == (
        "kubectl: `kubectl` is not installed; install it, and add it to the PATH\n"
    )


@pytest.mark.parametrize(
    ("labels", "line"),
    [
        ({"trussform/environment": "prod"}, "belongs to the environment `prod`"),
        ({"app": "mine"}, "is not from Trussform"),
        ({"trussform/environment": "dev"}, None),
    ],
)
def test_a_deployment_of_another_stack_is_a_problem(
    machine: Machine, labels: dict[str, str], line: str | None
) -> None:
    found = {"get deployments.apps server -n models": {"metadata": {"labels": labels}}}
    shown = machine.doctor({**GOOD, **found}).stdout
    if line is None:
        assert "Deployment models/server" not in shown
    else:
        fix = "use another `namespace` in the stage, or another name for the server"
        assert f"problem: Deployment models/server: {line}; {fix}\n" in shown


METRICS = "get apiservices.apiregistration.k8s.io v1beta1.external.metrics.k8s.io"
IN_KEDA = "keda-add-ons-http-"
INTERCEPTOR = f"get deployment {IN_KEDA}interceptor --namespace keda"
PROMETHEUS = "http://prometheus.monitoring.svc:9090"
QUERY = (
    "get --raw /api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query?query="
    "envoy_cluster_upstream_rq_active"
)


def available(status: str, service: str = "keda-metrics-apiserver") -> Any:
    return {
        "spec": {"service": {"name": service}},
        "status": {"conditions": [{"type": "Available", "status": status}]},
    }


def interceptor(**variables: str) -> Any:
    env = [{"name": name, "value": text} for name, text in variables.items()]
    return {"spec": {"template": {"spec": {"containers": [{"env": env}]}}}}


KEDA: dict[str, Any] = {
    **GOOD,
    "get --raw /apis/policy/v1": kinds("PodDisruptionBudget"),
    "get --raw /apis/keda.sh/v1alpha1": kinds("ScaledObject"),
    "get --raw /apis/http.keda.sh/v1beta1": kinds("InterceptorRoute"),
    "get --raw /apis/gateway.networking.k8s.io/v1beta1": kinds("ReferenceGrant"),
    METRICS: available("True"),
    f"get service {IN_KEDA}interceptor-proxy --namespace keda": {},
    f"get service {IN_KEDA}external-scaler --namespace keda": {},
    INTERCEPTOR: interceptor(KEDA_HTTP_MAX_IDLE_CONNS_PER_HOST="-1"),
    QUERY: {"data": {"result": [{}]}},
}
TO_ZERO: dict[str, Any] = {**STAGE, "autoscaling": {"max_replica": 2}}
BY_METRICS: dict[str, Any] = {
    **STAGE,
    "autoscaling": {"min_replica": 1, "max_replica": 2, "prometheus": PROMETHEUS},
}


def test_keda_and_its_add_on_are_there(machine: Machine) -> None:
    result = machine.doctor(KEDA, TO_ZERO)
    assert "fine: KEDA: its metrics server is available\n" in result.stdout
    assert "fine: KEDA's HTTP add-on: its Services are in the namespace `keda`\n" in result.stdout
    assert result.exit_code == 0, result.stdout


def test_prometheus_has_the_metrics(machine: Machine) -> None:
    result = machine.doctor(KEDA, BY_METRICS)
    line = f"fine: Prometheus {PROMETHEUS}: it has `envoy_cluster_upstream_rq_active`\n"
    assert line in result.stdout
    assert "add-on" not in result.stdout
    assert result.exit_code == 0


def test_a_fixed_number_of_replicas_needs_no_keda(machine: Machine) -> None:
    assert "KEDA" not in machine.doctor(GOOD).stdout


SERVERS_AT_127: dict[str, Any] = {
    "docker_server": {"start_command": "vllm serve m --port 8000"},
    **CONFIG,
}


@pytest.mark.parametrize(
    ("stage", "answers", "line"),
    [
        (TO_ZERO, {METRICS: None},
         "problem: KEDA: the APIService v1beta1.external.metrics.k8s.io is missing; install KEDA"),
        (TO_ZERO, {METRICS: available("False")},
         "problem: KEDA: the APIService v1beta1.external.metrics.k8s.io is not available; check "
         "the pods of the Service keda-metrics-apiserver, and of KEDA's operator"),
        (TO_ZERO, {METRICS: available("True", "adapter")},
         "problem: KEDA: the APIService v1beta1.external.metrics.k8s.io belongs to `adapter`, and "
         "a cluster has one; let KEDA serve it"),
        (TO_ZERO, {f"get service {IN_KEDA}external-scaler --namespace keda": None},
         "problem: KEDA's HTTP add-on: the Service keda-add-ons-http-external-scaler is missing in "
         "the namespace `keda`; install it, or correct `autoscaling.add_on_namespace` of the "
         "stage"),
        (TO_ZERO, {INTERCEPTOR: interceptor()},
         "warning: KEDA's HTTP add-on: the interceptor keeps idle connections, and a stopping pod "
         "waits for them; set KEDA_HTTP_MAX_IDLE_CONNS_PER_HOST of the Deployment "
         "keda-add-ons-http-interceptor to -1"),
        (BY_METRICS, {QUERY: None},
         f"problem: Prometheus {PROMETHEUS}: the Service prometheus is missing in the namespace "
         "`monitoring`; correct `autoscaling.prometheus` of the stage"),
        (BY_METRICS, {QUERY: {"data": {"result": []}}},
         f"warning: Prometheus {PROMETHEUS}: it has no `envoy_cluster_upstream_rq_active`; let it "
         "read the metrics of the gateway's proxies and of the servers' pods"),
        (BY_METRICS, {QUERY: "Error from server (ServiceUnavailable): no endpoints"},
         f"problem: Prometheus {PROMETHEUS}: it does not answer: the cluster does not answer: "
         "Error from server (ServiceUnavailable): no endpoints; check its pods"),
        ({**STAGE, "autoscaling": {**BY_METRICS["autoscaling"],
                                   "prometheus": "https://metrics.example.com"}}, {},
         "warning: Prometheus https://metrics.example.com: not checked: it is outside the cluster; "
         "ask it for `envoy_cluster_upstream_rq_active` yourself"),
    ],
)  # fmt: skip
def test_what_autoscaling_lacks_is_one_line_with_a_fix(
    machine: Machine, stage: dict[str, Any], answers: dict[str, Any], line: str
) -> None:
    result = machine.doctor({**KEDA, **answers}, stage, SERVERS_AT_127)
    assert f"{line}\n" in result.stdout
