"""Ports that a program opens on all addresses, and that nobody outside this machine may reach."""

from testbed.processes import run, succeeds


def shut(ports: tuple[int, ...]) -> None:
    # Where the second fails, there is no IPv6.
    for iptables, insert in (("iptables", run), ("ip6tables", succeeds)):
        if not succeeds(iptables, "-C", *_rule(ports)):
            insert(iptables, "-I", *_rule(ports))


def forget(ports: tuple[int, ...]) -> None:
    for iptables in ("iptables", "ip6tables"):
        succeeds(iptables, "-D", *_rule(ports))


def _rule(ports: tuple[int, ...]) -> tuple[str, ...]:
    listed = ",".join(map(str, ports))
    return ("INPUT", "!", "-i", "lo", "-p", "tcp", "-m", "multiport", "--dports", listed,
            "-j", "REJECT")  # fmt: skip
