"""The demands of the kube-apiserver besides the schemas of the kinds."""

import ipaddress
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

Manifest = dict[str, Any]

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SERVICE = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_QUALIFIED = re.compile(r"[a-zA-Z0-9]([-_.a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")
_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_QUANTITY = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+|m|[kMGTPE]i?|Ki)?")
_IMAGE = re.compile(r"[a-zA-Z0-9][-._/:@a-zA-Z0-9\[\]]*")
_ANNOTATIONS = 256 << 10
_OBJECT = 1 << 20
"""etcd takes an object of 1.5 MiB; the apiserver adds to ours."""


def label(name: str) -> bool:
    return _LABEL.fullmatch(name) is not None


def subdomain(name: str) -> bool:
    return len(name) <= 253 and all(map(_LABEL.fullmatch, name.split(".")))


def qualified(name: str) -> bool:
    prefix, slash, last = name.rpartition("/")
    return _QUALIFIED.fullmatch(last) is not None and (not slash or subdomain(prefix))


def label_value(value: str) -> bool:
    return value == "" or _QUALIFIED.fullmatch(value) is not None


def misfits(manifest: Manifest) -> Iterator[str]:
    """Yields the apiserver's complaints about an object."""
    about, kind = manifest["metadata"], manifest["kind"]
    name = _SERVICE.fullmatch(about["name"]) if kind == "Service" else subdomain(about["name"])
    if not name or (kind == "Namespace" and not label(about["name"])):
        yield f"{kind}: metadata.name: {about['name']!r}"
    if not label(about.get("namespace", "default")):
        yield f"{kind}: metadata.namespace: {about['namespace']!r}"
    if len(json.dumps(manifest, ensure_ascii=False).encode()) > _OBJECT:
        yield f"{kind}: larger than etcd takes"
    yield from _metadata(about)
    if kind == "Deployment":
        yield from _deployment(manifest["spec"])
    elif kind == "Ingress":
        yield from _ingress(manifest["spec"])
    elif kind in ("HTTPRoute", "GRPCRoute"):
        yield from _route(manifest["spec"])
    elif kind == "NetworkPolicy":
        yield from _policy(manifest["spec"])
    elif kind == "ExternalSecret":
        yield from _external(manifest["spec"])
    elif kind == "PersistentVolumeClaim":
        yield from _quantities(manifest["spec"]["resources"]["requests"])


def _metadata(about: Manifest) -> Iterator[str]:
    labels, annotations = about.get("labels", {}), about.get("annotations", {})
    yield from (f"label {key!r}" for key in labels if not qualified(key))
    yield from (f"value of a label {text!r}" for text in labels.values() if not label_value(text))
    yield from (f"annotation {key!r}" for key in annotations if not qualified(key.lower()))
    if sum(len((key + text).encode()) for key, text in annotations.items()) > _ANNOTATIONS:
        yield "annotations of more than 256 KiB"


def _deployment(spec: Manifest) -> Iterator[str]:
    template = spec["template"]
    yield from _metadata(template["metadata"])
    if not spec["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items():
        yield "the selector does not match the template"
    pod = template["spec"]
    containers = [*pod.get("initContainers", ()), *pod["containers"]]
    volumes = [volume["name"] for volume in pod["volumes"]]
    yield from (f"volume {name!r}" for name in volumes if not label(name))
    yield from (f"two volumes {name!r}" for name in _twice(volumes))
    for volume in pod["volumes"]:
        yield from _volume(volume)
    for container in containers:
        yield from _container(container)
        for mount in container["volumeMounts"]:
            if mount["name"] not in volumes:
                yield f"no volume {mount['name']!r}"
    names = [secret["name"] for secret in pod.get("imagePullSecrets", ())]
    yield from (f"a Secret {name!r}" for name in names if not subdomain(name))


def _volume(volume: Manifest) -> Iterator[str]:
    if ".." in volume.get("hostPath", {}).get("path", "").split("/"):
        yield "hostPath with `..`"
    if "persistentVolumeClaim" in volume and not subdomain(
        volume["persistentVolumeClaim"]["claimName"]
    ):
        yield "claimName"
    paths: list[str] = []
    for source in volume.get("projected", {}).get("sources", ()):
        secret = source["secret"]
        if not subdomain(secret["name"]):
            yield f"a Secret {secret['name']!r}"
        for item in secret["items"]:
            paths.append(item["path"])
            if not _KEY.fullmatch(item["key"]):
                yield f"a key of a Secret {item['key']!r}"
            if item["path"].startswith(("/", "..")) or ".." in item["path"].split("/"):
                yield f"a path of a secret {item['path']!r}"
    yield from (f"two secrets at {path!r}" for path in _twice(paths))


def _container(container: Manifest) -> Iterator[str]:
    if not label(container["name"]):
        yield f"container {container['name']!r}"
    if not _IMAGE.fullmatch(container["image"]):
        yield f"image {container['image']!r}"
    for variable in container.get("env", ()):
        if not _VARIABLE.fullmatch(variable["name"]):
            yield f"variable {variable['name']!r}"
    given = [e["value"] for e in container.get("env", ()) if "value" in e]
    texts = [*container.get("command", ()), *given]
    yield from (f"NUL in {text!r}" for text in texts if "\0" in text)
    for port in container.get("ports", ()):
        if not re.fullmatch("[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?", port["name"]):
            yield f"port {port['name']!r}"
    yield from _mounts(container["volumeMounts"])
    resources = container.get("resources", {})
    for amounts in resources.values():
        yield from _quantities(amounts)
    for probe in (value for name, value in container.items() if name.endswith("Probe")):
        if "httpGet" in probe and not probe["httpGet"]["path"].startswith("/"):
            yield "the path of a probe"


def _mounts(mounts: list[Manifest]) -> Iterator[str]:
    paths = [mount["mountPath"] for mount in mounts]
    for path in paths:
        if not path.startswith("/") or ":" in path or ".." in path.split("/"):
            yield f"mountPath {path!r}"
    yield from (f"two mounts at {path!r}" for path in _twice(paths))
    for mount in mounts:
        inside = mount.get("subPath", "")
        if inside.startswith("/") or ".." in inside.split("/"):
            yield f"subPath {inside!r}"


def _quantities(amounts: dict[str, str]) -> Iterator[str]:
    for name, amount in amounts.items():
        standard = name in ("cpu", "memory", "storage", "ephemeral-storage")
        extended = "/" in name and qualified(name) and "kubernetes.io/" not in name
        if not (standard or extended) or not _QUANTITY.fullmatch(amount):
            yield f"resource {name!r}: {amount!r}"


def _ingress(spec: Manifest) -> Iterator[str]:
    if not subdomain(spec["ingressClassName"]):
        yield "ingressClassName"
    for tls in spec.get("tls", ()):
        names = (tls["secretName"], *tls["hosts"])
        yield from (f"name in tls {name!r}" for name in names if not subdomain(name))
    for rule in spec["rules"]:
        if not subdomain(rule["host"]):
            yield f"host {rule['host']!r}"
        for path in rule["http"]["paths"]:
            odd = ("//", "/./", "/../", "%2f", "%2F")
            exact = path["pathType"] in ("Exact", "Prefix")
            if not path["path"].startswith("/") or (exact and any(o in path["path"] for o in odd)):
                yield f"path {path['path']!r}"


def _policy(spec: Manifest) -> Iterator[str]:
    peers = [peer for rule in spec.get("ingress", ()) for peer in rule["from"]]
    peers += [peer for rule in spec.get("egress", ()) for peer in rule["to"]]
    for peer in peers:
        if "ipBlock" in peer:
            ipaddress.ip_network(peer["ipBlock"]["cidr"])  # Raises for what is none.
        elif not all(map(label, peer["namespaceSelector"]["matchLabels"].values())):
            yield f"peer {peer!r}"


def _external(spec: Manifest) -> Iterator[str]:
    if not re.fullmatch("[0-9]{1,6}[smh]", spec["refreshInterval"]):
        yield f"refreshInterval {spec['refreshInterval']!r}"
    names = (spec["secretStoreRef"]["name"], spec["target"]["name"])
    yield from (f"name {name!r}" for name in names if not subdomain(name))
    keys = [entry["secretKey"] for entry in spec["data"]]
    yield from (f"a key of a Secret {key!r}" for key in keys if not _KEY.fullmatch(key))


def _route(spec: Manifest) -> Iterator[str]:
    yield from (f"host {name!r}" for name in spec["hostnames"] if not subdomain(name))
    for parent in spec["parentRefs"]:
        fields = ("name", "namespace", "sectionName")
        yield from (
            f"parent {parent[f]!r}" for f in fields if f in parent and not subdomain(parent[f])
        )
    for rule in spec["rules"]:
        for match in rule.get("matches", ()):
            if not re.fullmatch(r"(/[-a-z0-9]+)+", match["path"]["value"]):
                yield f"path {match['path']['value']!r}"
        rewrites = (made.get("urlRewrite") for made in rule.get("filters", ()))
        for rewrite in filter(None, rewrites):
            path = rewrite["path"]
            text = path.get("replaceFullPath", path.get("replacePrefixMatch"))
            if not text.startswith("/") or len(text) > 1024 or not text.isprintable():
                yield f"rewrite {text!r}"


def _twice(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
