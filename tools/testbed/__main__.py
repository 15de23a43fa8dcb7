"""`python -m testbed up`: boots the cluster, and keeps it; `down` ends it and takes away what it
had. `with COMMAND…` runs a command on it. `run COMMAND…` boots and ends it, unless it is kept;
where there is a cluster.yaml, these two use the cluster that it describes, and boot nothing.
`keda` builds KEDA and Prometheus, which the cluster then has as well."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from testbed import (
    cert_manager,
    docker,
    envoy,
    external_secrets,
    gateway,
    images,
    keda,
    keys,
    kube_router,
    kubernetes,
    nginx,
    programs,
    settings,
)
from testbed.places import (
    DATA,
    ENVIRONMENT,
    ENVOY_PORT,
    GATEWAY_PORT,
    HOME,
    KEDA_SETTINGS,
    KEPT,
    NGINX_PORT,
    RUN,
    SETTINGS,
    SETTINGS_FILE,
)
from testbed.processes import Failed, is_running, say, succeeds


def up() -> None:
    programs.check_machine()
    programs.install_packages()
    programs.build()
    keys.make()
    docker.up()
    images.up()
    kubernetes.up()
    kube_router.up()
    gateway.up()
    envoy.up()
    nginx.up()
    external_secrets.up()
    cert_manager.up()
    if programs.has_keda():
        keda.up()
        settings.write(SETTINGS.model_copy(update={"keda": KEDA_SETTINGS}), SETTINGS_FILE)
    else:
        settings.write(SETTINGS, SETTINGS_FILE)
    say("the cluster is up; to use it:")
    for name, value in ENVIRONMENT.items():
        shown = value.replace('"', '\\"').replace(os.environ["PATH"], "$PATH")
        print(f'export {name}="{shown}"')
    print(f"Traefik is at http://127.0.0.1:{GATEWAY_PORT}, Envoy at http://127.0.0.1:{ENVOY_PORT},")
    print(f"ingress-nginx at http://127.0.0.1:{NGINX_PORT};")
    print("end it all by `make cluster-down`.")


def down() -> None:
    programs.check_rights()
    keda.down()
    cert_manager.down()
    external_secrets.down()
    envoy.down()
    gateway.down()
    kube_router.down()
    kubernetes.down()
    docker.down()
    for line in reversed(Path("/proc/mounts").read_text().splitlines()):
        mount = line.split()[1]
        if mount.startswith((str(DATA), str(RUN))):
            succeeds("umount", "--lazy", mount)
    shutil.rmtree(HOME, ignore_errors=True)
    shutil.rmtree(RUN, ignore_errors=True)
    say("the cluster is gone")


def keep() -> None:
    """Boot the cluster, and let it be until `down`."""
    up()
    KEPT.touch()


def use(command: list[str]) -> int:
    if given := settings.file():
        say(f"using the cluster that {given} describes")
        return subprocess.run(command, check=False).returncode
    return subprocess.run(command, env={**os.environ, **ENVIRONMENT}, check=False).returncode


def run(command: list[str]) -> int:
    """Run a command on a cluster that lives as long as it, or on the one that is there."""
    if settings.file():
        return use(command)
    # A machine that was restarted has what a kept cluster left, and not the cluster.
    if KEPT.exists() and is_running("apiserver"):
        up()
        return use(command)
    programs.check_machine()
    down()
    try:
        up()
        return use(command)
    finally:
        down()


if __name__ == "__main__":
    try:
        if sys.argv[1:] == ["up"]:
            keep()
        elif sys.argv[1:] == ["down"]:
            down()
        elif sys.argv[1:] == ["keda"]:
            programs.check_machine()
            programs.build_keda()
        elif sys.argv[1:2] == ["with"] and len(sys.argv) > 2:
            if not settings.file():
                keep()
            sys.exit(use(sys.argv[2:]))
        elif sys.argv[1:2] == ["run"] and len(sys.argv) > 2:
            sys.exit(run(sys.argv[2:]))
        else:
            sys.exit(__doc__)
    except Failed as failed:
        sys.exit(f"cluster: {failed}")
