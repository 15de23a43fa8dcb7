"""A host's certificate: one that is there, and one that is ordered of cert-manager."""

import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.certificates import keep_certificate, make_certificate
from support.clients import DOMAIN
from support.cluster import cluster, needed
from support.deployed import ByPulumi, Deployed, destroy, kubectl
from support.programs import wait_for
from support.reliability import record
from support.routes import INGRESS, gateway
from support.servers import small

ISSUED = "models-issued"
AUTHORITY = "trussform-authority"


@pytest.fixture(scope="module", autouse=True)
def ended(deployed: Deployed) -> Iterator[None]:
    yield
    destroy(deployed, "tls")


def ask_by_tls(trusted: Path, server: str, path: str) -> int | None:
    """Returns the status of a path of the host; None if its certificate is not trusted."""
    host = f"{server}.{DOMAIN}"
    trust = ssl.create_default_context(cafile=str(trusted))
    with httpx.Client(verify=trust, headers={"Host": host}) as asking:
        url = f"{gateway('traefik_tls')}/environments/{path}"
        try:
            return asking.get(url, extensions={"sni_hostname": host}).status_code
        except httpx.ConnectError:  # Traefik still has a certificate of its own.
            return None


def test_a_host_with_a_certificate_is_served_by_tls_alone(
    deployed: Deployed, tmp_path: Path, client: Callable[..., httpx.Client]
) -> None:
    gateway("traefik_tls")
    host = f"sealed.{DOMAIN}"
    certificate, key = make_certificate(tmp_path, host, f"subjectAltName=DNS:{host}")
    route: dict[str, Any] = {**INGRESS, "scheme": "https"}
    stage = {"route": route, "servers": {"sealed": small()}}
    deployed.up("tls", stage)
    route["tls"] = {"secret": "sealed-tls"}
    keep_certificate("sealed-tls", "models-tls", certificate, key)
    deployed.up("tls", stage)

    def answers() -> bool:
        return ask_by_tls(certificate, "sealed", "tls/predict") == 200

    wait_for(answers, "the host is served by TLS")
    plain = client("sealed", "tls")
    wait_for(lambda: plain.get("/predict").status_code == 404, "and not without")


@pytest.fixture(params=[("Issuer", ISSUED), ("ClusterIssuer", "cert-manager")], ids=lambda p: p[0])
def issuer(
    request: pytest.FixtureRequest, engine: ByPulumi, tmp_path: Path
) -> Iterator[tuple[str, Path]]:
    """The kind of cert-manager's issuer that has a CA's key, and the CA's certificate."""
    needed(cluster().has_cert_manager, "has_cert_manager")
    kind, namespace = request.param
    made = {
        "apiVersion": "cert-manager.io/v1",
        "kind": kind,
        "metadata": {"name": AUTHORITY, "namespace": ISSUED},
        "spec": {"ca": {"secretName": AUTHORITY}},
    }
    certificate, key = make_certificate(tmp_path, AUTHORITY, "keyUsage=critical,keyCertSign")
    kubectl("create", "namespace", ISSUED)
    try:
        keep_certificate(AUTHORITY, namespace, certificate, key)
        kubectl("apply", "--filename", "-", input=json.dumps(made))
        yield kind, certificate
        engine.destroy("issued")
    finally:
        kubectl("delete", kind, AUTHORITY, "-n", ISSUED, "--ignore-not-found")
        kubectl("delete", "secret", AUTHORITY, "-n", namespace, "--ignore-not-found")
        kubectl("delete", "namespace", ISSUED)


def find_orders() -> list[str]:
    """The Ingresses that order a certificate."""
    made = json.loads(kubectl("get", "ingresses", "-n", ISSUED, "-o", "json"))["items"]
    about = [ingress["metadata"] for ingress in made]
    return [each["name"] for each in about if "cert-manager.io/" in str(each["annotations"])]


def find_ordered() -> dict[str, str]:
    """Returns the certificate's name and the name of its owner."""
    kinds = "certificates,certificaterequests"
    made = json.loads(kubectl("get", kinds, "-n", ISSUED, "-o", "json"))["items"]
    about = [(each["kind"], each["metadata"]) for each in made]
    return {f"{kind} {a['name']}": a["ownerReferences"][0]["name"] for kind, a in about}


def test_a_host_has_the_certificate_that_its_issuer_makes(
    engine: ByPulumi, issuer: tuple[str, Path]
) -> None:
    gateway("traefik_tls")
    kind, authority = issuer
    tls = {"issuer": AUTHORITY, "issuer_kind": kind}
    route = {**INGRESS, "scheme": "https", "tls": tls}
    engine.up("issued", {"create_namespace": False, "route": route, "servers": {"issued": small()}})
    paths = ["predict", "sync", "sync/", "sync/v1/models"]

    def asked(path: str) -> int | None:
        return ask_by_tls(authority, "issued", f"issued/{path}")

    for path in paths:
        wait_for(lambda path=path: asked(path) == 200, f"{path} is served by the certificate")
    assert find_orders() == ["issued-predict"]
    assert find_ordered() == {
        "Certificate issued-tls": "issued-predict",
        "CertificateRequest issued-tls-1": "issued-tls",
    }
    stack = engine.stack("issued")
    assert set(stack.refresh().summary.resource_changes or {}) == {"same"}
    assert set(stack.preview().change_summary) == {"same"}
    record(
        f"certificate-{kind.lower()}",
        f"a host's certificate by Traefik's Ingress, ordered of cert-manager's `{kind}`",
        f"{len(paths)} paths of the host answer by it, its CA and host verified; one of the "
        "Ingresses has ordered one Certificate; refresh and preview without changes",
    )
