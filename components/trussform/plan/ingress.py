"""Who may connect to the pods inside the cluster."""

from typing import NamedTuple

from trussform.problem import Problem
from trussform.stage import AddressPeer, GatewayRoute, Peer, Stage


class Peers(NamedTuple):
    restricted: bool
    peers: tuple[Peer, ...]
    why: str

    def __str__(self) -> str:
        if not self.restricted:
            return "everybody in the cluster"
        names = [
            peer.address if isinstance(peer, AddressPeer) else f"namespace {peer.namespace}"
            for peer in self.peers
        ]
        return ", ".join(names) or "nobody"


def peers(stage: Stage) -> tuple[Peers, list[Problem]]:
    if stage.peers is None:
        return Peers(False, (), "the stage names no `peers`"), []
    plan = Peers(
        restricted=True,
        peers=tuple(stage.peers),
        why="the stage's `peers`; it holds where the cluster's network enforces its policies",
    )
    route = stage.route
    gateway = route.namespace if isinstance(route, GatewayRoute) else None
    addressed = any(isinstance(peer, AddressPeer) for peer in stage.peers)
    named = {peer.namespace for peer in stage.peers if not isinstance(peer, AddressPeer)}
    if gateway is None or addressed or gateway in named:
        return plan, []
    message = f"the Gateway's namespace `{gateway}` is no peer, so its requests may not get in"
    fix = "add the namespace of its pods, or the addresses of its nodes"
    return plan, [Problem("stage", ("peers",), message, fix, "warning")]
