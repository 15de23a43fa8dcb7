"""The model weights that are on a volume before the server starts."""

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
from trussform.quantity import amount
from trussform.stage import ClaimStorage, NodeStorage, ServerStage, Storage

MODEL_CACHE = "/app/model_cache"
"""The folder of Truss's image for the volumes of `model_cache`."""
HUB = "/root/.cache/huggingface/hub"
"""The folder of Truss's image for a `model_cache` without volumes."""
ANY_USERS_HUB = "/var/cache/huggingface/hub"
"""The same for a server that does not run as root, which cannot read /root in most images."""

_HUB_VARIABLES = ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")
"""Variables that name the cache itself; text-embeddings-inference and old libraries read only the
second (huggingface/text-embeddings-inference, router/src/main.rs)."""
_HUB_PLACES = {
    **dict.fromkeys(_HUB_VARIABLES, ""),
    "HF_HOME": "/hub",
    "XDG_CACHE_HOME": "/huggingface/hub",
    "HOME": "/.cache/huggingface/hub",
}
"""The path of the cache below each variable that may set it, the highest precedence first
(huggingface/huggingface_hub, src/huggingface_hub/constants.py)."""

GPU_MEMORY = {
    "T4": 16,
    "L4": 24,
    "A10G": 24,
    "V100": 16,
    "A100": 80,
    "A100_40GB": 40,
    "H100": 80,
    "H100_40GB": 40,
    "H200": 141,
    "B200": 180,
    "B300": 288,
    "GB300": 288,
    "L40S": 48,
    "RTX_PRO_6000": 96,
}
"""The memory of one accelerator in Gi. Source:
https://docs.baseten.co/deployment/resources#instance-type-reference, else NVIDIA's data sheets. The
V100 has two sizes; this is the smaller."""
_HF_TOKEN = "hf_access_token"
_SCHEMES = {"hf": "hf", "gcs": "gs", "s3": "s3", "azure": "azure"}
_FORMS = {
    "hf": (re.compile(r"[-\w.]+(/[-\w.]+)?(@[-\w./]+)?"), "hf://OWNER/NAME or …@REVISION"),
    "azure": (re.compile(r"[-\w]+/[-\w$]+(/.*)?"), "azure://ACCOUNT/CONTAINER/PREFIX"),
    "r2": (re.compile(r"[-\w]+\.[-\w]+(/.*)?"), "r2://ACCOUNT.BUCKET/PREFIX"),
}
"""The form of a source after its scheme, as a pattern and as people write it."""
_MATCHES_NO_FILE = re.compile(r"^$|^/|(^|/)\.\.?(/|$)|//")
"""Patterns that match no path of a file."""
_BRACES = re.compile(r"\{([^{}]*,[^{}]*)\}")
"""A shell's alternatives, which neither Truss nor huggingface_hub supports."""
_MAX_PATH = 4095
_COMMIT = re.compile(r"[0-9a-f]{40}")
_RESERVED_MOUNT = re.compile(
    r"/|/(app|bin|etc|lib|lib64|sbin|tmp|var)|/usr(/local)?(/bin|/lib)?"
    r"|(/proc|/sys|/dev|/secrets|/app/config\.yaml|/usr/local/bin/truss-transfer-cli)(/.*)?"
)
"""Folders of the image that a mount would hide, and the paths of other mounts."""


class Source(NamedTuple):
    """One source of weights, and its mount."""

    path: FieldPath
    """The path of the source in the config."""
    source: str
    """The URL: `hf://OWNER/NAME`."""
    mount: str
    """The path in the container."""
    read_only: bool
    hub: bool
    """True if the folder has the layout of Hugging Face's cache."""
    secret: str | None
    """The secret to log in with; None: anonymous."""
    needs_secret: bool
    """True if the config names the secret; a default secret is used only if it exists."""
    identity: str | None
    """The role or account that the pod's own identity must have."""
    role: str | None
    """The role that the pod's own identity assumes."""
    region: str | None
    """The AWS region."""
    allow: tuple[str, ...] | None
    """Patterns of the files to download; None: all."""
    ignore: tuple[str, ...] | None
    """Patterns of the files to leave out; None: none."""
    any_depth: bool
    """True if `*` in a pattern matches `/` too, as in Truss's `model_cache`."""
    folder: str = ""
    """The folder on the volume; its name depends on all sources of the same mount."""

    @property
    def id(self) -> str:
        """The name of the source's marker files on the volume."""
        parts: list[Any] = [self.source, self.allow, self.ignore]
        if self.needs_second_look:
            parts.append("**")
        return f"{self.folder}.{_digest(*parts)[:8]}"

    @property
    def needs_second_look(self) -> bool:
        """True if an earlier version of Trussform, in which `*` always matched `/`, may have left
        out files that the patterns allow; the source is then read again."""
        deep = any("**" in pattern for pattern in self.allow or ())
        broad = any(set("*?[") & set(pattern) for pattern in self.ignore or ())
        return not self.any_depth and (deep or broad)


class Volume(NamedTuple):
    """The volume that keeps the weights."""

    kind: Literal["claim", "existing", "node"]
    """A claim of the server's own, an existing claim, or the node's disk."""
    claim: str
    """The name of the PersistentVolumeClaim; empty for the node's disk."""
    size: str = ""
    """The size of the server's own claim."""
    storage_class: str | None = None
    """None: the cluster's default."""
    access_mode: Literal["ReadWriteOnce", "ReadWriteMany"] = "ReadWriteOnce"
    path: str = ""
    """The folder on the node's disk."""

    def __str__(self) -> str:
        if self.kind == "claim":
            return f"a new claim of {self.size}"
        if self.kind == "existing":
            return f"the existing claim {self.claim}"
        return f"each node's disk at {self.path}"


class WeightsPlan(NamedTuple):
    """The sources of weights and their volume."""

    sources: tuple[Source, ...]
    volume: Volume | None
    """None if there are no weights."""
    deadline: int
    """The time in seconds that the download may take; 0 if there are no weights."""
    one_node: bool
    """True if only one node at a time can mount the volume."""
    why: str
    hub_cache: str | None = None
    """The path of Hugging Face's cache; None if no source has its layout."""
    server_variables: Mapping[str, str] = MappingProxyType({})
    """The server's variables that name that path; the config's take precedence."""
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        if not self.sources:
            return "none"
        return ", ".join(f"{source.source} -> {source.mount}" for source in self.sources)


def plan_weights(given: Given, names: NamesPlan) -> WeightsPlan:
    """Decides the sources from `weights` and `model_cache`, and the volume from the stage."""
    config, stage = given.config, given.stage
    found = [
        *(_from_weights(i, entry) for i, entry in enumerate(config.weights)),
        *(_from_model_cache(i, entry, config) for i, entry in enumerate(config.model_cache)),
    ]
    if not found:
        return WeightsPlan((), None, 0, False, "the config has no `weights` and no `model_cache`")
    hub_cache, cache_reason = _hub_cache(config) if any(s.hub for s in found) else (None, "")
    volume = _volume(stage.weights.storage, names)
    plan = WeightsPlan(
        sources=tuple(_with_folders(found)),
        volume=volume,
        deadline=stage.deadlines.weights,
        one_node=volume.kind != "node" and volume.access_mode == "ReadWriteOnce",
        why=f"an init container downloads them once to {volume}; their size is not known in "
        f"advance{cache_reason}",
        hub_cache=hub_cache,
        server_variables=_hub_variables(config, hub_cache),
    )
    return plan._replace(problems=tuple(_problems(given, plan, volume)))


def _volume(storage: Storage, names: NamesPlan) -> Volume:
    """Returns the volume of the stage's `weights.storage`."""
    if isinstance(storage, ClaimStorage):
        return Volume(
            "claim", names.weights, storage.size, storage.storage_class, storage.access_mode
        )
    if isinstance(storage, NodeStorage):
        return Volume("node", "", path=storage.path)
    return Volume("existing", storage.claim, access_mode=storage.access_mode)


def _problems(given: Given, plan: WeightsPlan, volume: Volume) -> Iterator[Problem]:
    """Yields the problems of all sources, then those of the volume."""
    for source in plan.sources:
        yield from _source_problems(source, given.stage)
    for source in plan.sources:
        yield from _pattern_problems(source)
    yield from _cache_problems(given.config, plan.hub_cache)
    yield from _nested_mounts(plan.sources)
    yield from _shared_volume(plan, given.stage)
    yield from _small_claim(given, volume)


def _hub_cache(config: Config) -> tuple[str, str]:
    """Returns the path of Hugging Face's cache in the container, and the reason."""
    if configured := _configured_hub(config):
        variable, path = configured
        return path, f"; Hugging Face's cache is at {path}, which `{variable}` of the config sets"
    return ANY_USERS_HUB, (
        f"; Hugging Face's cache is at {HUB}, as in Truss's image, and at {ANY_USERS_HUB} for "
        f"users that cannot read /root; {' and '.join(_HUB_VARIABLES)} name the second path"
    )


def _configured_hub(config: Config) -> tuple[str, str] | None:
    """Returns the config's variable that sets the path of the cache, and the path."""
    for variable, below in _HUB_PLACES.items():
        value = config.environment_variables.get(variable, "")
        if value.startswith("/"):
            return variable, _normal(f"{value}{below}")
    return None


def _hub_variables(config: Config, path: str | None) -> dict[str, str]:
    """Returns the variables that name the cache, because the image's own may name another path."""
    if path is None:
        return {}
    own = config.environment_variables
    return {name: path for name in _HUB_VARIABLES if name not in own}


def _from_weights(i: int, entry: WeightsSource) -> Source:
    """Returns the source of an entry of `weights`."""
    auth = entry.auth
    secret = entry.auth_secret_name or (auth and auth.auth_secret_name)
    token = _HF_TOKEN if entry.source.startswith("hf://") else None
    return Source(
        path=("weights", i),
        source=entry.source,
        mount=_normal(entry.mount_location),
        read_only=True,
        hub=False,
        secret=secret or token,
        needs_secret=bool(secret),
        identity=auth and (auth.aws_oidc_role_arn or auth.gcp_oidc_service_account),
        role=auth and auth.aws_assume_role_arn,
        region=auth and (auth.aws_oidc_region or auth.aws_assume_role_region),
        allow=_patterns(entry.allow_patterns),
        ignore=_patterns(entry.ignore_patterns),
        any_depth=False,
    )


def _from_model_cache(i: int, entry: ModelRepo, config: Config) -> Source:
    """Returns the source of an entry of `model_cache`.

    With `use_volume` it is mounted at `volume_folder`, else at the path of Truss's build.
    """
    scheme, separator, path = entry.repo_id.rpartition("://")
    scheme = scheme if separator else _SCHEMES[entry.kind]
    revision = f"@{entry.revision}" if entry.revision and scheme == "hf" else ""
    hub = not entry.use_volume and scheme == "hf"
    mount = f"{MODEL_CACHE}/{entry.volume_folder if entry.use_volume else path}"
    if hub:
        configured = _configured_hub(config)
        mount = configured[1] if configured else HUB
    return Source(
        path=("model_cache", i),
        source=f"{scheme}://{path}{revision}",
        mount=_normal(mount),
        read_only=False,
        hub=hub,
        secret=entry.runtime_secret_name,
        needs_secret=entry.runtime_secret_name != _HF_TOKEN,
        identity=None,
        role=None,
        region=None,
        allow=_patterns(entry.allow_patterns),
        ignore=_patterns(entry.ignore_patterns),
        any_depth=True,
    )


def _patterns(patterns: list[str] | None) -> tuple[str, ...] | None:
    """Returns the patterns, None for an empty list."""
    return tuple(patterns) if patterns else None


def _normal(path: str) -> str:
    """Returns an absolute path without `.` and repeated slashes."""
    return "/" + "/".join(part for part in path.split("/") if part not in ("", "."))


def _with_folders(sources: list[Source]) -> list[Source]:
    """Returns the sources with their folders; those of one mount share a folder.

    Another source, revision or pattern gives another folder.
    """
    by_mount: dict[str, list[Source]] = {}
    for source in sources:
        by_mount.setdefault(source.mount, []).append(source)
    folders = {mount: _folder(sources) for mount, sources in by_mount.items()}
    return [source._replace(folder=folders[source.mount]) for source in sources]


def _folder(sources: list[Source]) -> str:
    """Returns a readable name of a folder with a hash of its sources."""
    content = [(source.source, source.allow, source.ignore, source.hub) for source in sources]
    last = sources[0].source.partition("@")[0].rstrip("/").rpartition("/")[2]
    readable = re.sub("[^a-z0-9]+", "-", last.lower())[:40].strip("-") or "weights"
    return f"{readable}-{_digest(content)[:12]}"


def _digest(*values: Any) -> str:
    """Returns the SHA-256 of the values as JSON."""
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def _problem(source: Source, message: str, fix: str, level: Level = "error") -> Problem:
    """Returns a problem of the source's entry in the config."""
    return Problem("config", source.path, message, fix, level)


def _source_problems(source: Source, stage: ServerStage) -> Iterator[Problem]:
    """Yields the problems of a source, of its mount and of its login."""
    if _RESERVED_MOUNT.fullmatch(source.mount):
        message = f"the mount {source.mount} would hide files that the server needs"
        yield _problem(source, message, "use a folder of its own, as in /models/NAME")
    if ".." in source.mount.split("/") or ":" in source.mount:
        message = f"Kubernetes cannot mount a volume at {source.mount}"
        yield _problem(source, message, "write the path without `..` and `:`")
    if not source.mount.isprintable() or len(source.mount.encode()) > _MAX_PATH:
        message = "the mount path is too long, or has characters that cannot be printed"
        yield _problem(source, message, "write a shorter path of printable characters")
    scheme, _, path = source.source.partition("://")
    if scheme in _FORMS:
        form, written = _FORMS[scheme]
        if not form.fullmatch(path):
            yield _problem(source, f"`{source.source}` is not a valid source", f"write {written}")
    role = source.identity or source.role
    if role and stage.pod.service_account is None:
        message = f"the pod needs a service account that is bound to {role}"
        fix = "add `pod: {service_account: NAME}` to the stage"
        yield _problem(source, message, fix, "blocks-deploy")
    _, at, revision = source.source.partition("@")
    if source.source.startswith("hf://") and not _COMMIT.fullmatch(revision):
        branch = f"`{revision}`" if at else "the default branch"
        message = f"{branch} can change, but the weights are downloaded only once"
        yield _problem(source, message, "pin a commit SHA", "warning")


def _cache_problems(config: Config, path: str | None) -> list[Problem]:
    """Returns a warning for each variable of the config that names another cache."""
    own = config.environment_variables
    return [
        Problem(
            "config",
            ("environment_variables", name),
            f"some libraries read the cache at `{own[name]}`, and the weights are at {path}",
            f"write {path}, or remove it",
            "warning",
        )
        for name in _HUB_VARIABLES
        if path is not None and own.get(name) and _normal(own[name]) != path
    ]


def _pattern_problems(source: Source) -> list[Problem]:
    """Returns the problems of patterns that match no file of any source."""
    allow, ignore = source.allow or (), source.ignore or ()
    every = {"*", "**"} if source.any_depth else {"**", "**/*", "**/"}
    if every & set(ignore) or (allow and set(allow) <= set(ignore)):
        path: FieldPath = (*source.path, "ignore_patterns")
        message = "`ignore_patterns` leave out every file of the source"
        fix = "remove the patterns of the files to download"
        return [Problem("config", path, message, fix)]
    none = all(_MATCHES_NO_FILE.search(pattern) for pattern in allow)
    return [
        *_without_match(source, "allow_patterns", allow, "error" if none else "warning"),
        *_without_match(source, "ignore_patterns", ignore, "warning"),
    ]


def _without_match(
    source: Source, field: str, patterns: tuple[str, ...], level: Level
) -> Iterator[Problem]:
    """Yields a problem for each pattern that matches no file."""
    for i, pattern in enumerate(patterns):
        path: FieldPath = (*source.path, field, i)
        if _MATCHES_NO_FILE.search(pattern):
            message = f"`{pattern}` matches no file, because paths in the source are relative"
            fix = "write a pattern such as `*.safetensors` or `folder/*`"
            yield Problem("config", path, message, fix, level)
        elif found := _BRACES.search(pattern):
            before, after = pattern[: found.start()], pattern[found.end() :]
            each = ", ".join(f"`{before}{one}{after}`" for one in found[1].split(","))
            message = f"`{pattern}` matches only names that contain these braces"
            yield Problem("config", path, message, f"list each pattern: {each}", "warning")


def _nested_mounts(sources: tuple[Source, ...]) -> list[Problem]:
    """Returns a problem for each mount inside another one."""
    problems: list[Problem] = []
    outer = "//"
    for source in sorted(sources, key=lambda source: source.mount.split("/")):
        if not source.mount.startswith(f"{outer}/"):
            outer = source.mount
            continue
        message = f"the mount {source.mount} is inside the mount {outer}"
        problems.append(_problem(source, message, "use separate folders"))
    return problems


def _shared_volume(plan: WeightsPlan, stage: ServerStage) -> Iterator[Problem]:
    """Yields a warning if several replicas need a volume of one node."""
    autoscaling = stage.autoscaling
    most = autoscaling.max_replica if autoscaling else stage.replicas
    if plan.one_node and most not in (0, 1):
        message = f"only one node at a time can mount the volume of `{stage.server}`'s replicas"
        fix = "write `access_mode: ReadWriteMany` or `kind: node` in `weights.storage` of the stage"
        path = stage.path("autoscaling", "max_replica") if autoscaling else stage.path("replicas")
        yield Problem("stage", path, message, fix, "warning")


def _small_claim(given: Given, volume: Volume) -> Iterator[Problem]:
    """Yields a warning if a claim is smaller than the memory of the GPUs.

    The size of the weights is not known before the download, but usually they fill most of that
    memory.
    """
    gpus = given.config.resources.accelerator
    memory = gpus.count * GPU_MEMORY.get(gpus.name, 0) if gpus else 0
    if volume.kind != "claim" or amount(volume.size) >= memory << 30:
        return
    message = (
        f"the claim of `{given.name}` has {volume.size}, and the memory of its GPUs ({gpus}) is "
        f"{memory}Gi"
    )
    fix = f"set the size that the weights need; {memory}Gi holds all weights that fit these GPUs"
    path = given.stage.path("weights", "storage", "size")
    yield Problem("stage", path, message, fix, "warning")
