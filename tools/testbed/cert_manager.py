"""cert-manager, which makes the certificates that Ingresses order: its controllers alone, as its
webhook only judges what is asked of them."""

import json

from testbed.kubernetes import apply, define
from testbed.places import BIN, CERTIFICATES_PORT, KUBECONFIG
from testbed.processes import start, stop, succeeds
from testbed.programs import cert_manager_definitions

# Where it looks for what a ClusterIssuer names.
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "cert-manager"}}


def up() -> None:
    define(cert_manager_definitions())
    apply("-", input=json.dumps(NAMESPACE))
    start(
        "cert-manager", BIN / "cert-manager", f"127.0.0.1:{CERTIFICATES_PORT}",
        ready=lambda: succeeds("curl", "-fsS", f"http://127.0.0.1:{CERTIFICATES_PORT}/"),
        variables={"KUBECONFIG": str(KUBECONFIG)},
    )  # fmt: skip


def down() -> None:
    stop("cert-manager")
