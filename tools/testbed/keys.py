"""Keys and certificates of the cluster and its registry, made once."""

import base64
import json
from pathlib import Path

from testbed.places import (
    API_PORT,
    CA_BUNDLE,
    KUBECONFIG,
    NODE,
    NODE_IP,
    PKI,
    SYSTEM_CA_BUNDLE,
)
from testbed.processes import run

_LOCAL = "DNS:localhost,IP:127.0.0.1"

CERTIFICATES = {
    "registry": ("/CN=localhost", _LOCAL),
    "etcd": ("/CN=etcd", _LOCAL),
    "apiserver": ("/CN=kube-apiserver", f"{_LOCAL},DNS:kubernetes.default.svc,IP:{NODE_IP}"),
    "apiserver-etcd": ("/CN=apiserver-etcd", ""),
    "apiserver-kubelet": ("/O=system:masters/CN=apiserver-kubelet", ""),
    "kubelet": (f"/O=system:nodes/CN=system:node:{NODE}", f"DNS:{NODE},IP:{NODE_IP}"),
    "controller-manager": ("/CN=system:kube-controller-manager", ""),
    "scheduler": ("/CN=system:kube-scheduler", ""),
    "front-proxy": ("/CN=front-proxy", ""),
    "keda": ("/CN=keda", _LOCAL),
    "admin": ("/O=system:masters/CN=admin", ""),
}
"""Subject and alternative names by name."""


def make() -> None:
    PKI.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (PKI / "ca.crt").exists():
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650",
            "-subj", "/CN=trussform-cluster", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
            "-keyout", PKI / "ca.key", "-out", PKI / "ca.crt")  # fmt: skip
    for name, (subject, names) in CERTIFICATES.items():
        if not (PKI / f"{name}.crt").exists():
            _certificate(name, subject, names)
    if not (PKI / "service-accounts.key").exists():
        run("openssl", "genrsa", "-out", PKI / "service-accounts.key", "2048")
    for user in ("kubelet", "controller-manager", "scheduler"):
        _kubeconfig(PKI / f"{user}.kubeconfig", user)
    _kubeconfig(KUBECONFIG, "admin")
    CA_BUNDLE.write_bytes(SYSTEM_CA_BUNDLE.read_bytes() + (PKI / "ca.crt").read_bytes())


def _certificate(name: str, subject: str, names: str) -> None:
    request, extensions = PKI / f"{name}.csr", PKI / f"{name}.ext"
    run("openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", subject,
        "-keyout", PKI / f"{name}.key", "-out", request)  # fmt: skip
    extensions.write_text(
        "extendedKeyUsage=serverAuth,clientAuth\n" + (f"subjectAltName={names}\n" if names else "")
    )
    run("openssl", "x509", "-req", "-days", "3650", "-in", request, "-CA", PKI / "ca.crt",
        "-CAkey", PKI / "ca.key", "-CAcreateserial", "-extfile", extensions,
        "-out", PKI / f"{name}.crt")  # fmt: skip
    request.unlink()
    extensions.unlink()


def _kubeconfig(path: Path, user: str) -> None:
    def data(name: str) -> str:
        return base64.b64encode((PKI / name).read_bytes()).decode()

    cluster = {
        "server": f"https://127.0.0.1:{API_PORT}",
        "certificate-authority-data": data("ca.crt"),
    }
    keys = {
        "client-certificate-data": data(f"{user}.crt"),
        "client-key-data": data(f"{user}.key"),
    }
    name = "trussform"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": user, "user": keys}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
        "current-context": name,
    }
    path.write_text(json.dumps(config))
