"""Certificates that sign themselves."""

import subprocess
from pathlib import Path

from support.deployed import kubectl


def make_certificate(folder: Path, subject: str, extension: str) -> tuple[Path, Path]:
    """A certificate that has signed itself, and its key."""
    certificate, key = folder / "tls.crt", folder / "tls.key"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-addext", extension]
    made = ["-subj", f"/CN={subject}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", *words, *made], check=True, capture_output=True)
    return certificate, key


def keep_certificate(name: str, namespace: str, certificate: Path, key: Path) -> None:
    pair = [f"--key={key}", f"--cert={certificate}"]
    # The namespace of an earlier run may have another one.
    kubectl("delete", "secret", name, "-n", namespace, "--ignore-not-found")
    kubectl("create", "secret", "tls", name, "-n", namespace, *pair)
