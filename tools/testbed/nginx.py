"""ingress-nginx, as the controller of a second class of Ingresses.

Its controller runs Debian's nginx with the Lua and the template of its own module, in a pod on the
node's own network. Debian has an older nginx and fewer of its libraries than ingress-nginx brings,
so two parts of the template go, and what no test comes to is stood in for. nginx looks names up by
DNS alone: beside it is a server of names, of the files in a folder.
"""

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from testbed.docker import in_registry
from testbed.images import build
from testbed.kubernetes import apply, kubectl
from testbed.places import (
    BASE_IMAGE,
    BIN,
    KUBECONFIG,
    NAMES,
    NGINX_IMAGE,
    NGINX_PORT,
    NGINX_TLS_PORT,
)
from testbed.processes import Failed, say
from testbed.programs import ingress_nginx_files

_NAMESPACE = "ingress-nginx"
_STATUS_PORT, _STREAM_PORT, _DEFAULT_PORT, _HEALTH_PORT = 8011, 8012, 8013, 8014
_NAMES_IP = "127.0.0.10"

_PACKAGES = (
    "nginx libnginx-mod-http-lua libnginx-mod-http-headers-more-filter lua-cjson dnsmasq-base"
)
# Debian's nginx knows no Lua in a stream block; and the server that answers for nobody would listen
# on all addresses, whatever the settings.
_PATCH = (
    r"sed -i '/^stream {/,/^}/d; s/listen {{ \$all.ListenPorts.Default }}/"
    r"listen 127.0.0.1:{{ $all.ListenPorts.Default }}/' /etc/nginx/template/nginx.tmpl"
)
_DOCKERFILE = f"""\
FROM {BASE_IMAGE}
RUN apt-get update && apt-get install -y --no-install-recommends {_PACKAGES}
COPY nginx /etc/nginx
WORKDIR /etc/ingress-controller
RUN {_PATCH} && mkdir ssl auth telemetry /tmp/nginx \\
 && ln -sf /dev/stdout /var/log/nginx/access.log && ln -sf /dev/stderr /var/log/nginx/error.log
"""

_UNUSED = "return { new = function() return {} end }\n"
_STAND_INS = {
    "roundrobin": Path(__file__).with_name("roundrobin.lua").read_text(),
    **dict.fromkeys(
        ("chash", "cookie", "dns/resolver", "global_throttle", "http", "ipmatcher", "lock"), _UNUSED
    ),
}
"""A replacement for a Lua library that Debian lacks."""

# This nginx knows HTTP/2 as a property of what it listens at, which all servers there share.
_MORE_SERVERS = f"""
server {{
    listen 127.0.0.1:{NGINX_TLS_PORT} ssl http2;
    server_name http2.invalid;
    return 404;
}}
server {{
    # The controller tells it of the streams, of which there are none.
    listen 127.0.0.1:{_STREAM_PORT};
}}
"""
_SETTINGS = {
    "main-snippet": "include /etc/nginx/modules-enabled/*.conf;",
    "http-snippet": _MORE_SERVERS,
    "use-http2": "false",
    "bind-address": "127.0.0.1",
    "disable-ipv6": "true",
    "disable-ipv6-dns": "true",
    # As in the versions after this one.
    "strict-validate-path-type": "true",
    "annotations-risk-level": "High",
}

_CONTROLLER = {
    "name": "controller",
    "image": NGINX_IMAGE,
    "command": [
        "/programs/ingress-nginx", "--kubeconfig=/kubeconfig",
        f"--configmap={_NAMESPACE}/settings", f"--http-port={NGINX_PORT}",
        f"--https-port={NGINX_TLS_PORT}", f"--status-port={_STATUS_PORT}",
        f"--stream-port={_STREAM_PORT}", f"--default-server-port={_DEFAULT_PORT}",
        f"--healthz-port={_HEALTH_PORT}", "--healthz-host=127.0.0.1",
        "--enable-annotation-validation", "--enable-metrics=false", "--profiling=false",
        "--update-status=false", "--disable-leader-election", "--post-shutdown-grace-period=0",
    ],
    "env": [
        {"name": "POD_NAMESPACE", "value": _NAMESPACE},
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "NGINX_BINARY", "value": "/usr/sbin/nginx"},
    ],
    "readinessProbe": {
        "httpGet": {"host": "127.0.0.1", "path": "/healthz", "port": _HEALTH_PORT},
        "periodSeconds": 1,
    },
    "volumeMounts": [
        {"name": "programs", "mountPath": "/programs", "readOnly": True},
        {"name": "kubeconfig", "mountPath": "/kubeconfig", "readOnly": True},
    ],
}  # fmt: skip
_SERVER_OF_NAMES = {
    "name": "names",
    "image": NGINX_IMAGE,
    "command": [
        "dnsmasq", "--keep-in-foreground", "--user=root", "--no-resolv", "--no-hosts",
        f"--listen-address={_NAMES_IP}", "--bind-interfaces", "--hostsdir=/names",
    ],
    "volumeMounts": [{"name": "names", "mountPath": "/names", "readOnly": True}],
}  # fmt: skip
_POD = {
    "hostNetwork": True,
    "dnsPolicy": "None",
    "dnsConfig": {"nameservers": [_NAMES_IP]},
    "terminationGracePeriodSeconds": 5,
    "containers": [_CONTROLLER, _SERVER_OF_NAMES],
    "volumes": [
        {"name": "programs", "hostPath": {"path": str(BIN)}},
        {"name": "kubeconfig", "hostPath": {"path": str(KUBECONFIG)}},
        {"name": "names", "hostPath": {"path": str(NAMES)}},
    ],
}


def _objects() -> list[dict[str, Any]]:
    about, labels = {"name": "ingress-nginx", "namespace": _NAMESPACE}, {"app": "ingress-nginx"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE}},
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {"name": "nginx"},
            "spec": {"controller": "k8s.io/ingress-nginx"},
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "settings", "namespace": _NAMESPACE},
            "data": _SETTINGS,
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": about,
            "spec": {
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": _POD},
            },
        },
    ]


def up() -> None:
    """Its pod goes with the others when the cluster ends."""
    began = time.monotonic()
    NAMES.mkdir(parents=True, exist_ok=True)
    if not in_registry(NGINX_IMAGE):
        _image()
    manifests = "\n---\n".join(map(json.dumps, _objects()))
    apply("-", input=manifests)
    about = ("deployment/ingress-nginx", f"--namespace={_NAMESPACE}")
    try:
        kubectl("rollout", "status", *about, "--timeout=90s")
    except Failed as failed:
        log = kubectl("logs", *about, "--all-containers", "--tail=15")
        raise Failed(f"{failed}\n{log}") from None
    say(f"ingress-nginx is ready ({time.monotonic() - began:.0f} s)")


def _image() -> None:
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "nginx"
        shutil.copytree(ingress_nginx_files(), own)
        # What Go has fetched may not be written to.
        for made in (own, own / "lua", own / "lua/resty", own / "lua/resty/dns"):
            made.mkdir(exist_ok=True)
            made.chmod(0o755)
        for library, text in _STAND_INS.items():
            (own / f"lua/resty/{library}.lua").write_text(text)
        (Path(folder) / "Dockerfile").write_text(_DOCKERFILE)
        build(NGINX_IMAGE, folder)
