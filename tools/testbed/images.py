"""Images that the cluster starts from, made of Debian's packages, so that none is pulled."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from testbed.docker import in_registry
from testbed.places import (
    BARE_IMAGE,
    BASE_IMAGE,
    DOCKER_SOCKET,
    PAUSE_IMAGE,
    ROOTFS,
    SYSTEM_CA_BUNDLE,
    USER_IMAGE,
)
from testbed.processes import run, say

_PAUSE = "#include <unistd.h>\nint main(void) { for (;;) pause(); }\n"
_PACKAGES = "ca-certificates,python3,python3-pip,python3-venv"
_VARIABLES = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONUNBUFFERED": "1",
    "PIP_CERT": str(SYSTEM_CA_BUNDLE),
    "SSL_CERT_FILE": str(SYSTEM_CA_BUNDLE),
}


def up() -> None:
    if not in_registry(PAUSE_IMAGE):
        _pause()
    if not in_registry(BASE_IMAGE):
        _base()
    if not in_registry(USER_IMAGE):
        _user()
    if not in_registry(BARE_IMAGE):
        _bare()


def build(image: str, folder: str) -> None:
    _docker("build", "--quiet", "--tag", image, folder)
    _docker("push", "--quiet", image)


def _docker(*arguments: str | Path) -> str:
    return run("docker", "--host", f"unix://{DOCKER_SOCKET}", *arguments, DOCKER_BUILDKIT="0")


def _pause() -> None:
    """The pause container, which holds a pod's namespaces."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pause.c").write_text(_PAUSE)
        (Path(folder) / "Dockerfile").write_text('FROM scratch\nCOPY pause /\nCMD ["/pause"]\n')
        run("gcc", "-static", "-Os", "-o", f"{folder}/pause", f"{folder}/pause.c")
        build(PAUSE_IMAGE, folder)


def _base() -> None:
    """Debian with Python and pip, trusting what this machine trusts, so that builds reach the
    same package registries as the machine does."""
    if not (ROOTFS / ".made").exists():
        say("making a Debian file system (once; some 2 minutes)")
        shutil.rmtree(ROOTFS, ignore_errors=True)
        release = Path("/etc/os-release").read_text()
        suite = release.partition("VERSION_CODENAME=")[2].split()[0]
        run("debootstrap", "--variant=minbase", f"--include={_PACKAGES}", suite, ROOTFS)
        _trust_as_here()
        for folder in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc"):
            shutil.rmtree(ROOTFS / folder, ignore_errors=True)
        (ROOTFS / ".made").touch()
    changes = [f"--change=ENV {name}={value}" for name, value in _VARIABLES.items()]
    command = ["docker", "--host", f"unix://{DOCKER_SOCKET}", "import", *changes,
               '--change=CMD ["python3"]', "-", BASE_IMAGE]  # fmt: skip
    archive = subprocess.Popen(
        ["tar", "-C", str(ROOTFS), "--numeric-owner", "-c", "."], stdout=subprocess.PIPE
    )
    subprocess.run(command, stdin=archive.stdout, check=True, capture_output=True)
    archive.wait()
    _docker("push", "--quiet", BASE_IMAGE)


def _trust_as_here() -> None:
    for certificate in Path("/usr/local/share/ca-certificates").glob("*.crt"):
        shutil.copy(certificate, ROOTFS / "usr/local/share/ca-certificates")
    run("chroot", ROOTFS, "/usr/sbin/update-ca-certificates")
    for settings in (Path("/etc/pip.conf"), *Path("/etc/apt/apt.conf.d").glob("*")):
        if settings.is_file():
            shutil.copy(settings, ROOTFS / settings.relative_to("/"))
    for marker in ROOTFS.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        marker.unlink()


def _user() -> None:
    """An image whose own user is not root, with something of its own in /app."""
    lines = [
        f"FROM {BASE_IMAGE}",
        "RUN useradd --uid 1234 --create-home somebody",
        "RUN mkdir /app && echo kept > /app/own.txt && chown -R somebody /app",
        "USER somebody",
        "CMD " + json.dumps(["python3"]),
    ]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Dockerfile").write_text("\n".join(lines) + "\n")
        build(USER_IMAGE, folder)


def _bare() -> None:
    """An image without a shell: one program, and nothing else."""
    source = Path(__file__).with_name("bare.go")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Dockerfile").write_text('FROM scratch\nCOPY bare /\nCMD ["/bare"]\n')
        run("go", "build", "-o", f"{folder}/bare", source, CGO_ENABLED="0")
        build(BARE_IMAGE, folder)
