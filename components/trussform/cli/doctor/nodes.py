"""The nodes that can run the pods: labels, taints, and what they have free."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from trussform.cli.doctor.finding import Finding, Level
from trussform.cli.doctor.kubectl import Kubectl
from trussform.manifests.metadata import NAME_LABEL
from trussform.plan import Plan
from trussform.plan.toleration import Toleration
from trussform.problem import counted
from trussform.quantity import amount

_BLOCKING = ("NoSchedule", "NoExecute")
_CORDONED = "node.kubernetes.io/unschedulable"


class Node(NamedTuple):
    """One node of the cluster."""

    name: str
    labels: Mapping[str, str]
    taints: tuple[Toleration, ...]
    """The taints that keep pods away."""
    allocatable: Mapping[str, str]
    """The resources of the node for pods, as Kubernetes quantities."""
    free: dict[str, Decimal]
    """The rest of them: without the pods of others, and of the servers that were checked before."""


def check_nodes(plans: Mapping[str, Plan], kubectl: Kubectl) -> Iterator[Finding]:
    """Yields a finding for each server: whether the nodes have room for its pods."""
    nodes = kubectl.get("nodes")["items"]
    running = "status.phase!=Succeeded,status.phase!=Failed"
    pods = kubectl.get("pods", "--all-namespaces", "--field-selector", running)["items"]
    grows = _has_node_autoscaler(kubectl)
    own = {(plan.namespace.name, plan.name) for plan in plans.values()}
    used = _used(pod for pod in pods if _server(pod) not in own)
    free = [_node(node, used) for node in nodes]
    for plan in plans.values():
        yield _finding(plan, free, grows)


def _server(pod: Any) -> tuple[str, str | None]:
    """Returns the namespace of a pod, and the name of its server."""
    about = pod["metadata"]
    return about["namespace"], about.get("labels", {}).get(NAME_LABEL)


def _has_node_autoscaler(kubectl: Kubectl) -> bool:
    """Returns true if Karpenter or the cluster autoscaler adds nodes."""
    groups: Any = kubectl.raw("/apis") or {"groups": []}
    if any(group["name"] == "karpenter.sh" for group in groups["groups"]):
        return True
    return kubectl.has("configmap", "cluster-autoscaler-status", "kube-system")


def _node(node: Any, used: Mapping[str, Mapping[str, Decimal]]) -> Node:
    name, status = node["metadata"]["name"], node.get("status", {})
    allocatable: dict[str, str] = status.get("allocatable", {})
    taken = used.get(name, {})
    return Node(
        name=name,
        labels=node["metadata"].get("labels", {}),
        taints=tuple(
            Toleration(taint["key"], taint.get("value", ""), taint["effect"])
            for taint in node["spec"].get("taints", ())
            if taint["effect"] in _BLOCKING
        ),
        allocatable=allocatable,
        free={key: _amount(text) - taken.get(key, Decimal(0)) for key, text in allocatable.items()},
    )


def _used(pods: Iterable[Any]) -> dict[str, dict[str, Decimal]]:
    """Returns the sum of the pods' requests by node and resource."""
    used: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for pod in pods:
        node = pod["spec"].get("nodeName")
        if node is None:
            continue
        used[node]["pods"] += 1
        for container in pod["spec"]["containers"]:
            for key, text in container.get("resources", {}).get("requests", {}).items():
                used[node][key] += _amount(text)
    return used


def _amount(text: str) -> Decimal:
    try:
        return amount(text)
    except ValueError:
        return Decimal(0)


def _finding(plan: Plan, nodes: list[Node], grows: bool) -> Finding:
    """Returns a finding about the room for one server."""
    subject = f"nodes for {plan.name}"
    level: Level = "warning" if grows else "problem"
    later = ", or wait for the node autoscaler" if grows else ""
    labelled = [node for node in nodes if _is_labelled(node, plan)]
    if not labelled:
        text = f"no node has {_wanted_labels(plan)}"
        return Finding(level, subject, text, f"add such a node, or correct the stage{later}")
    tolerated = [node for node in labelled if not _repelling(node, plan)]
    if not tolerated:
        node = labelled[0]
        taint = _repelling(node, plan)[0]
        if taint.key == _CORDONED:
            text, fix = f"the node {node.name} is cordoned", f"run: kubectl uncordon {node.name}"
        else:
            text = f"the pods do not tolerate the taint {taint} of the node {node.name}"
            block = "gpu.tolerations" if plan.gpu.per_pod else "pod.tolerations"
            fix = f"add it to `{block}` of the stage{later}"
        return Finding(level, subject, text, fix)
    return _room(plan, tolerated, subject, level, later)


def _room(plan: Plan, nodes: list[Node], subject: str, level: Level, later: str) -> Finding:
    """Returns a finding about the resources of the nodes that the pods tolerate."""
    requests = _requests(plan)
    for name, request in requests.items():
        sizes = [node.allocatable.get(name, "0") for node in nodes]
        largest = max(sizes, key=_amount)
        if _amount(largest) < _amount(request):
            text = f"a pod requests {request} of `{name}`, and the largest node has {largest}"
            fix = "lower the request, or add a larger node"
            if "/" in name and not _amount(largest):
                text = f"the nodes offer no `{name}`"
                fix = "check the GPU's device plugin, and `gpu.resource` of the stage"
            return Finding(level, subject, text, f"{fix}{later}")
    replicas = plan.rollout.replicas
    if replicas is None:
        replicas = max(1, plan.autoscaling.minimum)
    room = sum(_fits(node.free, requests) for node in nodes)
    if room >= replicas:
        _take(nodes, requests, replicas)
        text = f"{counted(len(nodes), 'node')} with room for {counted(room, 'pod')}"
        return Finding("fine", subject, text)
    rooms = {
        name: sum(_fits(node.free, {name: size}) for node in nodes)
        for name, size in requests.items()
    }
    short = min(rooms, key=lambda name: rooms[name])
    text = f"room for {counted(room, 'pod')} of {replicas}; `{short}` is short"
    return Finding(level, subject, text, f"free some of it, or lower `replicas`{later}")


def _requests(plan: Plan) -> dict[str, str]:
    """Returns the amounts that each pod takes from its node, as Kubernetes quantities."""
    gpus = {plan.gpu.resource: str(plan.gpu.per_pod)} if plan.gpu.per_pod else {}
    return {**gpus, **plan.resources.requests, "pods": "1"}


def _fits(free: Mapping[str, Decimal], requests: Mapping[str, str]) -> int:
    """Returns the number of pods that fit."""
    sizes = {name: _amount(text) for name, text in requests.items()}
    parts = (free.get(name, Decimal(0)) // size for name, size in sizes.items() if size)
    return max(0, int(min(parts, default=Decimal(1))))


def _take(nodes: Iterable[Node], requests: Mapping[str, str], replicas: int) -> None:
    """Takes the room of a server's pods from the nodes."""
    for node in nodes:
        placed = min(replicas, _fits(node.free, requests))
        for name, text in requests.items() if placed else ():
            node.free[name] -= placed * _amount(text)
        replicas -= placed


def _is_labelled(node: Node, plan: Plan) -> bool:
    """Returns true if a node has the labels that the pods ask for."""
    if plan.gpu.per_pod and node.labels.get(plan.gpu.label) not in plan.gpu.products:
        return False
    return plan.pod.node_selector.items() <= node.labels.items()


def _wanted_labels(plan: Plan) -> str:
    wanted = [f"{name}={value}" for name, value in plan.pod.node_selector.items()]
    if plan.gpu.per_pod:
        wanted.append(f"{plan.gpu.label} in [{', '.join(plan.gpu.products)}]")
    return " and ".join(wanted) or "a label"


def _repelling(node: Node, plan: Plan) -> list[Toleration]:
    """Returns the taints of a node that the pods do not tolerate."""
    return [
        taint
        for taint in node.taints
        if not any(_tolerates(one, taint) for one in plan.pod.tolerations)
    ]


def _tolerates(toleration: Toleration, taint: Toleration) -> bool:
    return (
        toleration.key in (None, taint.key)
        and toleration.value in (None, taint.value)
        and toleration.effect in (None, taint.effect)
    )
