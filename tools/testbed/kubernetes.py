"""The control plane, the pods' network and the node."""

import json
import os
import time
from pathlib import Path

from testbed.docker import CNI
from testbed.places import (
    API_PORT,
    BIN,
    BRIDGE,
    CONTAINERD_SOCKET,
    DATA,
    ETC,
    ETCD_PEER_PORT,
    ETCD_PORT,
    GPUS,
    KUBECONFIG,
    LOG,
    LOGIN,
    NODE,
    NODE_IP,
    PKI,
    POD_CIDR,
    PRIVATE_REGISTRY,
    RUN,
    SERVICE_CIDR,
)
from testbed.processes import Failed, run, start, stop, succeeds, until

_CHAIN = "TRUSSFORM-PODS"
_KUBECTL = (BIN / "kubectl", "--kubeconfig", KUBECONFIG)


def kubectl(*arguments: str | Path, input: str | None = None) -> str:
    return run(*_KUBECTL, *arguments, input=input)


def apply(file: str | Path, input: str | None = None) -> None:
    kubectl("apply", "--server-side", "--force-conflicts", "--filename", file, input=input)


def define(definitions: Path) -> None:
    """Add custom resource definitions, and wait until the API server knows them."""
    apply(definitions)
    kubectl("wait", "--for=condition=Established", "--timeout=60s", "--filename", definitions)


def up() -> None:
    _etcd()
    _control_plane()
    _network()
    _kubelet()
    _gpus()


def down() -> None:
    stop("kubelet")
    _end_pods()
    for name in ("scheduler", "controller-manager", "apiserver", "etcd"):
        stop(name, seconds=70)
    for rule in (("-D", "FORWARD", "-j", _CHAIN), ("-F", _CHAIN), ("-X", _CHAIN)):
        succeeds("iptables", *rule)
    succeeds("ip", "link", "delete", BRIDGE)


def _key(name: str) -> tuple[Path, Path]:
    return PKI / f"{name}.crt", PKI / f"{name}.key"


def _etcd() -> None:
    client, peer = f"https://127.0.0.1:{ETCD_PORT}", f"http://127.0.0.1:{ETCD_PEER_PORT}"
    certificate, key = _key("etcd")
    asking, asking_key = _key("apiserver-etcd")
    start(
        "etcd", "etcd", "--name=trussform", f"--data-dir={DATA / 'etcd'}", "--enable-v2=false",
        f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=trussform={peer}", f"--cert-file={certificate}", f"--key-file={key}",
        "--client-cert-auth", f"--trusted-ca-file={PKI / 'ca.crt'}", "--unsafe-no-fsync",
        ready=lambda: succeeds("curl", "-fsS", "--cacert", PKI / "ca.crt", "--cert", asking,
                               "--key", asking_key, f"{client}/health"),
    )  # fmt: skip


def _control_plane() -> None:
    certificate, key = _key("apiserver")
    etcd_certificate, etcd_key = _key("apiserver-etcd")
    kubelet_certificate, kubelet_key = _key("apiserver-kubelet")
    proxy_certificate, proxy_key = _key("front-proxy")
    accounts = PKI / "service-accounts.key"
    ca = PKI / "ca.crt"
    # On loopback only, so no endpoint of the service `kubernetes` is published: no pod needs it.
    start(
        "apiserver", BIN / "kube-apiserver", "--bind-address=127.0.0.1",
        f"--secure-port={API_PORT}", f"--advertise-address={NODE_IP}",
        "--endpoint-reconciler-type=none", f"--etcd-servers=https://127.0.0.1:{ETCD_PORT}",
        f"--etcd-cafile={ca}", f"--etcd-certfile={etcd_certificate}", f"--etcd-keyfile={etcd_key}",
        f"--client-ca-file={ca}", f"--tls-cert-file={certificate}", f"--tls-private-key-file={key}",
        f"--kubelet-certificate-authority={ca}", f"--kubelet-client-key={kubelet_key}",
        f"--kubelet-client-certificate={kubelet_certificate}",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={accounts}", f"--service-account-signing-key-file={accounts}",
        f"--service-cluster-ip-range={SERVICE_CIDR}", "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
        # For KEDA's API of metrics, which is asked at its endpoint.
        "--enable-aggregator-routing=true", f"--requestheader-client-ca-file={ca}",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={proxy_certificate}", f"--proxy-client-key-file={proxy_key}",
        ready=lambda: succeeds(*_KUBECTL, "get", "--raw", "/readyz"),
    )  # fmt: skip
    start(
        "controller-manager", BIN / "kube-controller-manager", "--bind-address=127.0.0.1",
        f"--kubeconfig={PKI / 'controller-manager.kubeconfig'}", "--leader-elect=false",
        "--use-service-account-credentials=true", f"--service-account-private-key-file={accounts}",
        f"--root-ca-file={ca}",
        ready=lambda: succeeds("curl", "-fsSk", "https://127.0.0.1:10257/healthz"),
    )  # fmt: skip
    start(
        "scheduler", BIN / "kube-scheduler", "--bind-address=127.0.0.1",
        f"--kubeconfig={PKI / 'scheduler.kubeconfig'}", "--leader-elect=false",
        ready=lambda: succeeds("curl", "-fsSk", "https://127.0.0.1:10259/healthz"),
    )  # fmt: skip


def _network() -> None:
    """A bridge with the node's address, made before the first pod; pods get nowhere beyond it."""
    # With an address of its own, or it takes one of its ports' and another one when that leaves,
    # and every pod sends its answers to where nobody is until it asks again.
    succeeds("ip", "link", "add", BRIDGE, "address", "02:00:00:00:00:01", "type", "bridge")
    run("ip", "address", "replace", f"{NODE_IP}/24", "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "mtu", "1400", "up")
    succeeds("iptables", "-N", _CHAIN)
    run("iptables", "-F", _CHAIN)
    run("iptables", "-A", _CHAIN, "-i", BRIDGE, "-o", BRIDGE, "-j", "ACCEPT")
    run("iptables", "-A", _CHAIN, "-i", BRIDGE, "-j", "REJECT")
    if not succeeds("iptables", "-C", "FORWARD", "-j", _CHAIN):
        run("iptables", "-I", "FORWARD", "1", "-j", _CHAIN)
    CNI.mkdir(parents=True, exist_ok=True)
    addresses = {
        "type": "host-local",
        "dataDir": str(RUN / "addresses"),
        "ranges": [[{"subnet": POD_CIDR, "gateway": NODE_IP}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "mtu": 1400, "ipam": addresses}
    (CNI / "10-pods.conflist").write_text(
        json.dumps({"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge]})
    )


def _node_login() -> Path:
    """Returns the node's login to a folder of the private registry, as a cloud's nodes have one to
    theirs; gives the kubelet's configuration of it."""
    user, _, password = LOGIN.partition(":")
    version = "credentialprovider.kubelet.k8s.io/v1"
    answer = {
        "apiVersion": version,
        "kind": "CredentialProviderResponse",
        "cacheKeyType": "Image",
        "auth": {PRIVATE_REGISTRY: {"username": user, "password": password}},
    }
    program = ETC / "credential-providers/node-login"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\ncat <<'EOF'\n{json.dumps(answer)}\nEOF\n")
    program.chmod(0o700)
    provider = {
        "name": program.name,
        "apiVersion": version,
        "matchImages": [f"{PRIVATE_REGISTRY}/models/nodes"],
        "defaultCacheDuration": "0s",
    }
    settings = {
        "apiVersion": "kubelet.config.k8s.io/v1",
        "kind": "CredentialProviderConfig",
        "providers": [provider],
    }
    file = ETC / "credential-providers.json"
    file.write_text(json.dumps(settings))
    return file


def _kubelet() -> None:
    certificate, key = _key("kubelet")
    (ETC / "kubelet.yaml").write_text(
        json.dumps(
            {
                "apiVersion": "kubelet.config.k8s.io/v1beta1",
                "kind": "KubeletConfiguration",
                "address": NODE_IP,
                "healthzBindAddress": "127.0.0.1",
                "authentication": {
                    "anonymous": {"enabled": False},
                    "webhook": {"enabled": True},
                    "x509": {"clientCAFile": str(PKI / "ca.crt")},
                },
                "authorization": {"mode": "Webhook"},
                "tlsCertFile": str(certificate),
                "tlsPrivateKeyFile": str(key),
                "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
                "cgroupDriver": "cgroupfs",
                "failCgroupV1": False,
                "failSwapOn": False,
                "oomScoreAdj": 0,
                "maxOpenFiles": 20000,
                "podLogsDir": str(LOG / "pods"),
                "nodeStatusUpdateFrequency": "5s",
                "imageGCHighThresholdPercent": 100,
                "imageGCLowThresholdPercent": 99,
                "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%"},
            }
        )
    )
    began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    def ready() -> bool:
        # Ready by this kubelet's word: the word of the last one is still in etcd.
        try:
            conditions = json.loads(kubectl("get", "node", NODE, "--output", "json"))["status"]
        except Failed:
            return False
        return any(
            condition["type"] == "Ready"
            and condition["status"] == "True"
            and condition["lastHeartbeatTime"] >= began
            for condition in conditions["conditions"]
        )

    start(
        "kubelet", BIN / "kubelet", f"--config={ETC / 'kubelet.yaml'}",
        f"--kubeconfig={PKI / 'kubelet.kubeconfig'}", f"--root-dir={DATA / 'kubelet'}",
        f"--cert-dir={DATA / 'kubelet/pki'}", f"--hostname-override={NODE}",
        f"--image-credential-provider-config={_node_login()}",
        f"--image-credential-provider-bin-dir={ETC / 'credential-providers'}",
        f"--node-ip={NODE_IP}", "--node-labels=nvidia.com/gpu.product=NVIDIA-L4",
        ready=ready,
    )  # fmt: skip


def _gpus() -> None:
    """The node says that it has GPUs, and the scheduler believes it; no pod gets a device."""
    gpus = {"nvidia.com/gpu": str(GPUS)}
    status = json.dumps({"status": {"capacity": gpus, "allocatable": gpus}})
    kubectl("patch", "node", NODE, "--subresource=status", "--type=merge", "--patch", status)
    account = (*_KUBECTL, "get", "serviceaccount", "default")
    until(lambda: succeeds(*account), "the default service account exists", 60)


def _end_pods() -> None:
    """End the containers that outlive the kubelet, and take away what they leave."""

    def ctr(*arguments: str) -> list[str]:
        try:
            command = ("ctr", "--address", CONTAINERD_SOCKET, "--namespace", "k8s.io")
            return run(*command, *arguments).split()
        except Failed:
            return []

    for task in ctr("tasks", "list", "--quiet"):
        ctr("tasks", "delete", "--force", task)
    for container in ctr("containers", "list", "--quiet"):
        ctr("containers", "delete", container)
    for name in os.listdir("/run/netns") if Path("/run/netns").is_dir() else []:
        if name.startswith("cni-"):
            succeeds("ip", "netns", "delete", name)
