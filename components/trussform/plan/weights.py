"""The weights that a volume holds before the server starts: their sources, mounts and volume."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from trussform.config import Config
from trussform.config.weights import ModelRepo, WeightsSource
from trussform.plan.given import Given
from trussform.plan.names import NamesPlan
from trussform.problem import FieldPath, Level, Problem
from trussform.stage import ClaimStorage, NodeStorage, ServerStage, Storage

MODEL_CACHE = "/app/model_cache"
"""The folder in which Truss puts the folders of `model_cache`."""
HUB = "/root/.cache/huggingface/hub"
"""The folder of Truss's image for the repositories of a `model_cache` without volumes."""
ANY_USERS_HUB = "/var/cache/huggingface/hub"
"""The same repositories, for a server that is not root: /root is closed to it in most images."""

_HUB_VARIABLES = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")
"""Variables that name the cache itself; text-embeddings-inference and old libraries read the second
alone (huggingface/text-embeddings-inference, router/src/main.rs)."""
_HUB_PLACES = {
    **dict.fromkeys(_HUB_VARIABLES, ""),
    "HF_HOME": "/hub",
    "XDG_CACHE_HOME": "/huggingface/hub",
    "HOME": "/.cache/huggingface/hub",
}
"""The cache below each variable that may say where it is, the strongest first
(huggingface/huggingface_hub, src/huggingface_hub/constants.py)."""

GPU_MEMORY = {
    "T4": 16, "L4": 24, "A10G": 24, "V100": 16, "A100": 80, "A100_40GB": 40, "H100": 80,
    "H100_40GB": 40, "H200": 141, "B200": 180, "B300": 288, "GB300": 288, "L40S": 48,
    "RTX_PRO_6000": 96,
}  # fmt: skip
"""Gi of one accelerator. https://docs.baseten.co/deployment/resources#instance-type-reference; what
is not there, from NVIDIA's data sheets. The smaller of two sizes of the V100."""
_UNITS = {
    "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60,
}  # fmt: skip
_QUANTITY = re.compile(r"([0-9.]+(?:[eE][+-]?[0-9]+)?)([kKMGTPEi]*)")

_HF_TOKEN = "hf_access_token"
_SCHEMES = {"hf": "hf", "gcs": "gs", "s3": "s3", "azure": "azure"}
_FORMS = {
    "hf": (re.compile(r"[-\w.]+(/[-\w.]+)?(@[-\w./]+)?"), "repository",
           "hf://OWNER/NAME or …@REVISION"),
    "azure": (re.compile(r"[-\w]+/[-\w$]+(/.*)?"), "container", "azure://ACCOUNT/CONTAINER/PREFIX"),
    "r2": (re.compile(r"[-\w]+\.[-\w]+(/.*)?"), "bucket", "r2://ACCOUNT.BUCKET/PREFIX"),
}  # fmt: skip
"""The form of the text after a scheme, its name, and an example, if the form is limited."""
_NO_NAME = re.compile(r"^$|^/|(^|/)\.\.?(/|$)|//")
"""Patterns that no name of a file fits."""
_BRACES = re.compile(r"\{([^{}]*,[^{}]*)\}")
"""Alternatives of a shell, which neither Truss nor huggingface_hub knows."""
_MAX_PATH = 4095
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TAKEN = re.compile(
    r"/|/(app|bin|etc|lib|lib64|sbin|tmp|var)|/usr(/local)?(/bin|/lib)?"
    r"|(/proc|/sys|/dev|/secrets|/app/config\.yaml|/usr/local/bin/truss-transfer-cli)(/.*)?"
)
"""Folders that a mount would hide from the server, and places of other mounts."""


class Source(NamedTuple):
    """One source of weights, and the path where the server finds it."""

    path: FieldPath
    """The path of the source in the config."""
    source: str
    mount: str
    read_only: bool
    hub: bool
    """True if the folder is laid out as Hugging Face's cache, for a server that looks there."""
    secret: str | None
    needs_secret: bool
    """True if the config itself names the secret; otherwise it is used if it exists."""
    identity: str | None
    """The role or account that the store wants, where the pod's own identity is to have it."""
    role: str | None
    """The role that is taken on by the pod's own identity."""
    region: str | None
    allow: tuple[str, ...] | None
    ignore: tuple[str, ...] | None
    any_depth: bool
    """True where `*` of a pattern goes on over `/`, as in Truss's `model_cache`."""
    folder: str = ""
    """Its folder on the volume, named after all that goes to the same mount."""

    @property
    def id(self) -> str:
        """The name of its marks on the volume."""
        what: list[Any] = [self.source, self.allow, self.ignore]
        if self.lacks_files_of_old:
            what.append("**")
        return f"{self.folder}.{_digest(*what)[:8]}"

    @property
    def lacks_files_of_old(self) -> bool:
        """True where earlier versions, in which every `*` went on over `/`, may have left files out
        that the patterns want: the source is then looked through again."""
        deep = any("**" in pattern for pattern in self.allow or ())
        broad = any(set("*?[") & set(pattern) for pattern in self.ignore or ())
        return not self.any_depth and (deep or broad)


class Volume(NamedTuple):
    """The volume that keeps the weights."""

    kind: Literal["claim", "existing", "node"]
    claim: str
    """The PersistentVolumeClaim; empty for the node's disk."""
    size: str = ""
    """The size of the server's own claim."""
    storage_class: str | None = None
    """None: the cluster's default."""
    access_mode: Literal["ReadWriteOnce", "ReadWriteMany"] = "ReadWriteOnce"
    path: str = ""
    """The folder on the node's disk."""

    def __str__(self) -> str:
        if self.kind == "claim":
            return f"a claim of {self.size}"
        if self.kind == "existing":
            return f"the claim {self.claim}"
        return f"the node's disk at {self.path}, by each node of its own"


class WeightsPlan(NamedTuple):
    sources: tuple[Source, ...]
    volume: Volume | None
    """None if there are no weights."""
    deadline: int
    """Seconds that the fetch may take; 0 if there are no weights."""
    one_node: bool
    """True if only one node at a time can mount the volume."""
    why: str
    hub_cache: str | None = None
    """The path that the server is told to use as Hugging Face's cache; None if no source is laid
    out so."""
    server_variables: Mapping[str, str] = MappingProxyType({})
    """Environment variables of the server that name that path; the config's own win."""
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        if not self.sources:
            return "none"
        return ", ".join(f"{source.source} -> {source.mount}" for source in self.sources)


def plan_weights(given: Given, names: NamesPlan) -> WeightsPlan:
    config, stage = given.config, given.stage
    found = [
        *(_of_weights(i, wanted) for i, wanted in enumerate(config.weights)),
        *(_of_model_cache(i, wanted, config) for i, wanted in enumerate(config.model_cache)),
    ]
    if not found:
        return WeightsPlan((), None, 0, False, "the config names none")
    hub_cache, about_cache = _hub_cache(config) if any(s.hub for s in found) else (None, "")
    volume = _volume(stage.weights.storage, names)
    plan = WeightsPlan(
        sources=tuple(_with_folders(found)),
        volume=volume,
        deadline=stage.deadlines.weights,
        one_node=volume.kind != "node" and volume.access_mode == "ReadWriteOnce",
        why=f"fetched once onto {volume}, then found there; their size, and so the duration of "
        f"the first fetch, is unknown until then{about_cache}",
        hub_cache=hub_cache,
        server_variables=_hub_variables(config, hub_cache),
    )
    return plan._replace(problems=tuple(_about_weights(given, plan, volume)))


def _volume(storage: Storage, names: NamesPlan) -> Volume:
    if isinstance(storage, ClaimStorage):
        return Volume(
            "claim", names.weights, storage.size, storage.storage_class, storage.access_mode
        )
    if isinstance(storage, NodeStorage):
        return Volume("node", "", path=storage.path)
    return Volume("existing", storage.claim, access_mode=storage.access_mode)


def _about_weights(given: Given, plan: WeightsPlan, volume: Volume) -> Iterator[Problem]:
    for source in plan.sources:
        yield from _about(source, given.stage)
    for source in plan.sources:
        yield from _about_patterns(source)
    yield from _about_cache(given.config, plan.hub_cache)
    yield from _nested(plan.sources)
    yield from _shared(plan, given.stage)
    yield from _too_small(given, volume)


def _hub_cache(config: Config) -> tuple[str, str]:
    """Returns the place where the server is to look for Hugging Face's cache, and the reason."""
    if named := _named_hub(config):
        variable, place = named
        return place, f"; Hugging Face's cache is at {place}, where the config's `{variable}` says"
    return ANY_USERS_HUB, (
        f"; Hugging Face's cache is at {HUB}, as in Truss's image, and at {ANY_USERS_HUB}, which "
        f"{' and '.join(_HUB_VARIABLES)} name: the image may look elsewhere, or its user may not "
        "read /root"
    )


def _named_hub(config: Config) -> tuple[str, str] | None:
    """Returns the variable of the config that says where the cache is, and that place."""
    for variable, below in _HUB_PLACES.items():
        value = config.environment_variables.get(variable, "")
        if value.startswith("/"):
            return variable, _normal(f"{value}{below}")
    return None


def _hub_variables(config: Config, place: str | None) -> dict[str, str]:
    """Those that send the server to the cache: the image may have its own for another place."""
    if place is None:
        return {}
    given = config.environment_variables
    return {name: place for name in _HUB_VARIABLES if name not in given}


def _of_weights(i: int, wanted: WeightsSource) -> Source:
    auth = wanted.auth
    named = wanted.auth_secret_name or (auth and auth.auth_secret_name)
    token = _HF_TOKEN if wanted.source.startswith("hf://") else None
    return Source(
        path=("weights", i),
        source=wanted.source,
        mount=_normal(wanted.mount_location),
        read_only=True,
        hub=False,
        secret=named or token,
        needs_secret=bool(named),
        identity=auth and (auth.aws_oidc_role_arn or auth.gcp_oidc_service_account),
        role=auth and auth.aws_assume_role_arn,
        region=auth and (auth.aws_oidc_region or auth.aws_assume_role_region),
        allow=_patterns(wanted.allow_patterns),
        ignore=_patterns(wanted.ignore_patterns),
        any_depth=False,
    )


def _of_model_cache(i: int, wanted: ModelRepo, config: Config) -> Source:
    """On a volume at a folder of its own; without one, where Truss's build has put it."""
    scheme, separator, path = wanted.repo_id.rpartition("://")
    scheme = scheme if separator else _SCHEMES[wanted.kind]
    revision = f"@{wanted.revision}" if wanted.revision and scheme == "hf" else ""
    hub = not wanted.use_volume and scheme == "hf"
    mount = f"{MODEL_CACHE}/{wanted.volume_folder if wanted.use_volume else path}"
    if hub:
        named = _named_hub(config)
        mount = named[1] if named else HUB
    return Source(
        path=("model_cache", i),
        source=f"{scheme}://{path}{revision}",
        mount=_normal(mount),
        read_only=False,
        hub=hub,
        secret=wanted.runtime_secret_name,
        needs_secret=wanted.runtime_secret_name != _HF_TOKEN,
        identity=None,
        role=None,
        region=None,
        allow=_patterns(wanted.allow_patterns),
        ignore=_patterns(wanted.ignore_patterns),
        any_depth=True,
    )


def _patterns(given: list[str] | None) -> tuple[str, ...] | None:
    return tuple(given) if given else None


def _normal(path: str) -> str:
    return "/" + "/".join(part for part in path.split("/") if part not in ("", "."))


def _with_folders(sources: list[Source]) -> list[Source]:
    """Sources of one mount share a folder; another source, revision or pattern makes another."""
    together: dict[str, list[Source]] = {}
    for source in sources:
        together.setdefault(source.mount, []).append(source)
    folders = {mount: _folder(sources) for mount, sources in together.items()}
    return [source._replace(folder=folders[source.mount]) for source in sources]


def _folder(sources: list[Source]) -> str:
    what = [(source.source, source.allow, source.ignore, source.hub) for source in sources]
    last = sources[0].source.partition("@")[0].rstrip("/").rpartition("/")[2]
    readable = re.sub("[^a-z0-9]+", "-", last.lower())[:40].strip("-") or "weights"
    return f"{readable}-{_digest(what)[:12]}"


def _digest(*what: Any) -> str:
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


def _about(source: Source, stage: ServerStage) -> list[Problem]:
    problems: list[Problem] = []

    def say(message: str, fix: str, level: Level = "error") -> None:
        problems.append(Problem("config", source.path, message, fix, level))

    if _TAKEN.fullmatch(source.mount):
        say(f"the mount {source.mount} would hide files that the server needs",
            "use a folder of its own, as in /models/NAME")  # fmt: skip
    if ".." in source.mount.split("/") or ":" in source.mount:
        say("Kubernetes cannot mount at this path", "write it without `..` and `:`")
    if not source.mount.isprintable() or len(source.mount.encode()) > _MAX_PATH:
        say("this cannot be the path of a folder", "write a shorter one of printable characters")
    scheme, _, path = source.source.partition("://")
    if scheme in _FORMS:
        form, kind, written = _FORMS[scheme]
        if not form.fullmatch(path):
            say(f"`{source.source}` is not a {kind}", f"write {written}")
    wanted = source.identity or source.role
    if wanted and stage.service_account is None:
        say(f"the pod needs a cloud identity for {wanted}",
            "add `service_account: NAME`, bound to it, to the stage", "blocks-deploy")  # fmt: skip
    _, at, revision = source.source.partition("@")
    if source.source.startswith("hf://") and not _COMMIT.fullmatch(revision):
        what = f"`{revision}`" if at else "the default branch"
        say(f"{what} can move, and the pods keep the files that were fetched first",
            "write a commit; another commit is fetched again", "warning")  # fmt: skip
    return problems


def _about_cache(config: Config, place: str | None) -> list[Problem]:
    """Warnings where a variable of the config sends the server past the cache."""
    given = config.environment_variables
    return [
        Problem(
            "config",
            ("environment_variables", name),
            f"some libraries look for Hugging Face's cache at `{given[name]}`; it is at {place}",
            f"write {place}, or remove it",
            "warning",
        )
        for name in _HUB_VARIABLES
        if place is not None and given.get(name) and _normal(given[name]) != place
    ]


def _about_patterns(source: Source) -> list[Problem]:
    """Complaints about patterns that can choose no file, whatever the source has."""
    allow, ignore = source.allow or (), source.ignore or ()
    every = {"*", "**"} if source.any_depth else {"**", "**/*", "**/"}
    if every & set(ignore) or (allow and set(allow) <= set(ignore)):
        keys: FieldPath = (*source.path, "ignore_patterns")
        message = "the patterns exclude every file of the source"
        return [
            Problem(
                "config", keys, message, "remove the patterns of the files that the server needs"
            )
        ]
    none = all(_NO_NAME.search(pattern) for pattern in allow)
    return [
        *_that_fit_nothing(source, "allow_patterns", allow, "error" if none else "warning"),
        *_that_fit_nothing(source, "ignore_patterns", ignore, "warning"),
    ]


def _that_fit_nothing(
    source: Source, field: str, patterns: tuple[str, ...], level: Level
) -> Iterator[Problem]:
    for i, pattern in enumerate(patterns):
        keys: FieldPath = (*source.path, field, i)
        if _NO_NAME.search(pattern):
            message = (
                f"`{pattern}` matches no file: names start at the top of the source, without `/`"
            )
            fix = "write it as in `*.safetensors` or `folder/*`"
            yield Problem("config", keys, message, fix, level)
        elif found := _BRACES.search(pattern):
            before, after = pattern[: found.start()], pattern[found.end() :]
            each = ", ".join(f"`{before}{one}{after}`" for one in found[1].split(","))
            message = f"`{pattern}` matches only a name that contains these braces"
            yield Problem("config", keys, message, f"write each pattern: {each}", "warning")


def _nested(sources: tuple[Source, ...]) -> list[Problem]:
    problems: list[Problem] = []
    outer = "//"
    for source in sorted(sources, key=lambda source: source.mount.split("/")):
        if not source.mount.startswith(f"{outer}/"):
            outer = source.mount
            continue
        message = f"the mount {source.mount} lies within {outer}"
        problems.append(Problem("config", source.path, message, "give each a folder of its own"))
    return problems


def _shared(plan: WeightsPlan, stage: ServerStage) -> Iterator[Problem]:
    if plan.one_node and stage.replicas > 1:
        message = (
            f"the replicas of `{stage.server}` share one volume, which only one node at a time can "
            "mount"
        )
        fix = (
            "write `access_mode: ReadWriteMany`, or `kind: node`, in the stage's `weights.storage`"
        )
        yield Problem("stage", stage.path("replicas"), message, fix, "warning")


def _too_small(given: Given, volume: Volume) -> Iterator[Problem]:
    """Yields a warning if a claim is smaller than the memory of the GPUs.

    The files fill most of that memory, as a rule; only the fetch knows their size.
    """
    gpus = given.config.resources.accelerator
    memory = gpus.count * GPU_MEMORY.get(gpus.name, 0) if gpus else 0
    if volume.kind != "claim" or _bytes(volume.size) >= memory << 30:
        return
    message = (
        f"the claim of `{given.name}`, {volume.size}, is smaller than the {memory}Gi of GPU memory "
        f"({gpus})"
    )
    fix = f"set the size that the weights need; {memory}Gi is enough for these GPUs"
    path = given.stage.path("weights", "storage", "size")
    yield Problem("stage", path, message, fix, "warning")


def _bytes(quantity: str) -> float:
    """A quantity of Kubernetes in bytes."""
    found = _QUANTITY.fullmatch(quantity)
    assert found
    return float(found[1]) * _UNITS[found[2]]
