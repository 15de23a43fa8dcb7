"""kube-router, which makes the node's firewall do what the NetworkPolicies say."""

from pathlib import Path

from testbed.places import BIN, BRIDGE, KUBECONFIG, NODE, SERVICE_CIDR
from testbed.processes import run, start, stop, succeeds

_BRIDGED = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
_NOWHERE = ("iif", BRIDGE, "prohibit")
_FORGET = """
iptables-save -t filter | grep -Ev 'KUBE-(ROUTER|POD-FW|NWPLCY)-' | iptables-restore -T filter
ipset list -name | grep -E '^KUBE-(SRC|DST)-' | xargs -r -n 1 ipset destroy
"""


def up() -> None:
    # What goes from pod to pod stays on the bridge, and passes the firewall only if this says so.
    succeeds("modprobe", "br_netfilter")
    _BRIDGED.write_text("1")
    # Its rules come before the network's, and let out whatever no policy holds back.
    if not run("ip", "rule", "list", "iif", BRIDGE):
        run("ip", "rule", "add", *_NOWHERE)
    start(
        "kube-router", BIN / "kube-router", f"--kubeconfig={KUBECONFIG}",
        f"--hostname-override={NODE}", f"--service-cluster-ip-range={SERVICE_CIDR}",
        "--run-firewall=true", "--run-router=false", "--run-service-proxy=false",
        "--health-port=0",
        ready=lambda: succeeds("iptables", "--list-rules", "KUBE-ROUTER-FORWARD"),
    )  # fmt: skip


def down() -> None:
    stop("kube-router")
    # It leaves its rules behind.
    succeeds("sh", "-c", _FORGET)
    succeeds("ip", "rule", "delete", *_NOWHERE)
