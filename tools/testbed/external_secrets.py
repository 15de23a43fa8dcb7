"""The External Secrets Operator, which makes Secrets of what a store outside of the cluster has."""

from testbed.kubernetes import define
from testbed.places import BIN, KUBECONFIG, OPERATOR_PORT
from testbed.processes import start, stop, succeeds
from testbed.programs import external_secrets_definitions


def up() -> None:
    define(external_secrets_definitions())
    start(
        "external-secrets", BIN / "external-secrets", "--metrics-addr=0",
        f"--live-addr=127.0.0.1:{OPERATOR_PORT}", "--enable-push-secret-reconciler=false",
        "--enable-cluster-push-secret-reconciler=false",
        "--enable-cluster-external-secret-reconciler=false",
        ready=lambda: succeeds("curl", "-fsS", f"http://127.0.0.1:{OPERATOR_PORT}/healthz"),
        variables={"KUBECONFIG": str(KUBECONFIG)},
    )  # fmt: skip


def down() -> None:
    stop("external-secrets")
