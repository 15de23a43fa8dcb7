"""The TLS registry, containerd, the Docker daemon and BuildKit's."""

import json
from typing import Any

import bcrypt

from testbed.places import (
    BIN,
    BUILDKIT_SOCKET,
    BUILDX,
    CA_BUNDLE,
    CONTAINERD_SOCKET,
    DATA,
    DOCKER_SOCKET,
    ETC,
    GOOGLE_KEY,
    LOGIN,
    PAUSE_IMAGE,
    PKI,
    PRIVATE_REGISTRY,
    REGISTRY,
    RUN,
)
from testbed.processes import start, stop, succeeds

CNI = ETC / "cni"


def up() -> None:
    ETC.mkdir(parents=True, exist_ok=True)
    _registries()
    _containerd()
    _dockerd()
    _buildkitd()


def down() -> None:
    for name in ("buildkitd", "dockerd", "containerd", "registry", "private-registry"):
        stop(name)


def in_registry(image: str) -> bool:
    name, _, tag = image.removeprefix(f"{REGISTRY}/").partition(":")
    return succeeds("curl", "-fsS", "--cacert", CA_BUNDLE, "--head",
                    f"https://{REGISTRY}/v2/{name}/manifests/{tag}")  # fmt: skip


def _registries() -> None:
    logins = (LOGIN.split(":", 1), ("_json_key", GOOGLE_KEY))
    lines = [
        f"{user}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt()).decode()}\n"
        for user, password in logins
    ]
    (ETC / "htpasswd").write_text("".join(lines))
    _registry("registry", REGISTRY, {}, "")
    auth = {"auth": {"htpasswd": {"realm": "private", "path": str(ETC / "htpasswd")}}}
    _registry("private-registry", PRIVATE_REGISTRY, auth, LOGIN)


def _registry(name: str, address: str, auth: dict[str, Any], login: str) -> None:
    settings = {
        "version": 0.1,
        "storage": {
            "filesystem": {"rootdirectory": str(DATA / "registry")},
            "delete": {"enabled": True},
        },
        "http": {
            "addr": address.replace("localhost", "127.0.0.1"),
            "tls": {"certificate": str(PKI / "registry.crt"), "key": str(PKI / "registry.key")},
        },
        **auth,
    }
    (ETC / f"{name}.yml").write_text(json.dumps(settings))
    hosts = ETC / "registries" / address
    hosts.mkdir(parents=True, exist_ok=True)
    (hosts / "hosts.toml").write_text(
        f'server = "https://{address}"\n[host."https://{address}"]\n'
        f'  capabilities = ["pull", "resolve"]\n  ca = "{PKI / "ca.crt"}"\n'
    )
    asked = ["curl", "-fsS", "--user", login, "--cacert", CA_BUNDLE, f"https://{address}/v2/"]
    start(name, "docker-registry", "serve", ETC / f"{name}.yml", ready=lambda: succeeds(*asked))


def _containerd() -> None:
    # A container here may not lower its out-of-memory score below its parent's.
    (ETC / "containerd.toml").write_text(f"""\
version = 2
root = "{DATA / "containerd"}"
state = "{RUN / "containerd"}"
[grpc]
  address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  tolerate_missing_hugetlb_controller = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{CNI}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{ETC / "registries"}"
""")
    start("containerd", "containerd", "--config", ETC / "containerd.toml",
          ready=lambda: succeeds("ctr", "--address", CONTAINERD_SOCKET, "version"))  # fmt: skip


def _dockerd() -> None:
    pid = RUN / "dockerd-own.pid"
    (ETC / "docker.json").write_text(
        json.dumps(
            {
                "hosts": [f"unix://{DOCKER_SOCKET}"],
                "containerd": str(CONTAINERD_SOCKET),
                "data-root": str(DATA / "docker"),
                "exec-root": str(RUN / "docker"),
                "pidfile": str(pid),
                "storage-driver": "overlay2",
                "bip": "172.30.0.1/24",
                "mtu": 1400,
                "features": {"buildkit": True},
            }
        )
    )
    pid.unlink(missing_ok=True)
    start("dockerd", "dockerd", "--config-file", ETC / "docker.json",
          ready=lambda: succeeds("docker", "--host", f"unix://{DOCKER_SOCKET}", "version"),
          variables={"SSL_CERT_FILE": str(CA_BUNDLE)})  # fmt: skip


def _buildkitd() -> None:
    """A daemon of its own, as buildx builders are: what the Docker daemon has cannot be used by
    the provider that builds with BuildKit."""
    (ETC / "buildkitd.toml").write_text(f"""\
root = "{DATA / "buildkit"}"
[grpc]
  address = ["unix://{BUILDKIT_SOCKET}"]
[worker.oci]
  enabled = true
[worker.containerd]
  enabled = false
[registry."{REGISTRY}"]
  # Said in so many words, as a registry of this name is taken for one without TLS.
  http = false
  insecure = false
  ca = ["{PKI / "ca.crt"}"]
""")
    builders = BUILDX / "buildx/instances"
    builders.mkdir(parents=True, exist_ok=True)
    node = {"Name": "trussform0", "Endpoint": f"unix://{BUILDKIT_SOCKET}"}
    (builders / "trussform").write_text(
        json.dumps({"Name": "trussform", "Driver": "remote", "Nodes": [node], "Dynamic": False})
    )
    start("buildkitd", BIN / "buildkitd", "--config", ETC / "buildkitd.toml",
          ready=BUILDKIT_SOCKET.is_socket)  # fmt: skip
