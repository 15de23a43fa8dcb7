"""What a volume has before the server starts: whence it comes, where it goes, what keeps it."""

import hashlib
import json
import re
from typing import Any, NamedTuple

from trussform.config import Config
from trussform.config.weights import ModelRepo, WeightsSource
from trussform.plan.digest import Pinned, pin
from trussform.problem import Finding, Keys, Level
from trussform.stage import NodeStorage, Stage, Storage

MODEL_CACHE = "/app/model_cache"
"""Where Truss puts the folders of `model_cache`."""
HUB = "/root/.cache/huggingface/hub"
"""Where Truss's image has the repositories of a `model_cache` without volumes."""

_HF_TOKEN = "hf_access_token"
_SCHEMES = {"hf": "hf", "gcs": "gs", "s3": "s3", "azure": "azure"}
_FORMS = {
    "hf": (re.compile(r"[-\w.]+(/[-\w.]+)?(@[-\w./]+)?"), "repository",
           "hf://OWNER/NAME or …@REVISION"),
    "azure": (re.compile(r"[-\w]+/[-\w$]+(/.*)?"), "container", "azure://ACCOUNT/CONTAINER/PREFIX"),
    "r2": (re.compile(r"[-\w]+\.[-\w]+(/.*)?"), "bucket", "r2://ACCOUNT.BUCKET/PREFIX"),
}  # fmt: skip
"""What follows the scheme where not any name will do, what that is, and how it is written."""
_MAX_PATH = 4095
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TAKEN = re.compile(
    r"/|/(app|bin|etc|lib|lib64|sbin|tmp|var)|/usr(/local)?(/bin|/lib)?"
    r"|(/proc|/sys|/dev|/secrets|/app/config\.yaml|/usr/local/bin/truss-transfer-cli)(/.*)?"
)
"""Folders that a mount would hide from the server, and places of other mounts."""


class Source(NamedTuple):
    """What is fetched, and where the server finds it."""

    keys: Keys
    """Where the config says it."""
    source: str
    mount: str
    read_only: bool
    hub: bool
    """Whether the folder is laid out as Hugging Face's cache, for a server that looks there."""
    secret: str | None
    needs_secret: bool
    """Whether the config itself names the secret; otherwise it is used where it is there."""
    identity: str | None
    """The role or account that the store wants, where the pod's own identity is to have it."""
    role: str | None
    """The role that is taken on by the pod's own identity."""
    region: str | None
    allow: tuple[str, ...] | None
    ignore: tuple[str, ...] | None
    folder: str = ""
    """Its folder on the volume, named after all that goes to the same mount."""

    @property
    def id(self) -> str:
        """The name of its marks on the volume."""
        return f"{self.folder}.{_digest(self.source, self.allow, self.ignore)[:8]}"


class Weights(NamedTuple):
    sources: tuple[Source, ...]
    storage: Storage
    fetcher: Pinned | None
    """The image of what fetches; None where there is nothing to fetch."""
    environment_variables: dict[str, str]
    """Of what fetches."""
    deadline: int
    """Seconds that the fetch may take; 0 where there is none."""
    one_node: bool
    """Whether one node at a time can have the volume."""
    why: str

    def __str__(self) -> str:
        if not self.sources:
            return "none"
        return ", ".join(f"{source.source} -> {source.mount}" for source in self.sources)


def weights(config: Config, stage: Stage, name: str) -> tuple[Weights, list[Finding]]:
    found = [
        *(_of_weights(i, given) for i, given in enumerate(config.weights)),
        *(_of_model_cache(i, given) for i, given in enumerate(config.model_cache)),
    ]
    given = stage.server(name).weights or stage.weights
    storage = given.storage
    if not found:
        return Weights((), storage, None, {}, 0, False, "the config names none"), []
    own = stage.server(name).weights is not None
    keys: Keys = ("servers", name, "weights", "image") if own else ("weights", "image")
    fetcher, about_fetcher = pin(given.image, stage, "stage", keys)
    plan = Weights(
        sources=tuple(_with_folders(found)),
        storage=storage,
        fetcher=fetcher,
        environment_variables=given.environment_variables,
        deadline=stage.deadlines.weights,
        one_node=not isinstance(storage, NodeStorage) and storage.access_mode == "ReadWriteOnce",
        why=f"fetched once onto {_described(storage)}, then found there; how large they are, and "
        "so how long the first fetch takes, nobody knows before",
    )
    findings = [finding for source in plan.sources for finding in _about(source, stage)]
    return plan, [*about_fetcher, *findings, *_nested(plan.sources), *_shared(plan, stage, name)]


def _described(storage: Storage) -> str:
    if storage.kind == "claim":
        return f"a claim of {storage.size}"
    if storage.kind == "existing":
        return f"the claim {storage.claim}"
    return f"the node's disk at {storage.path}, by each node of its own"


def _of_weights(i: int, given: WeightsSource) -> Source:
    auth = given.auth
    named = given.auth_secret_name or (auth and auth.auth_secret_name)
    token = _HF_TOKEN if given.source.startswith("hf://") else None
    return Source(
        keys=("weights", i),
        source=given.source,
        mount=_normal(given.mount_location),
        read_only=True,
        hub=False,
        secret=named or token,
        needs_secret=bool(named),
        identity=auth and (auth.aws_oidc_role_arn or auth.gcp_oidc_service_account),
        role=auth and auth.aws_assume_role_arn,
        region=auth and (auth.aws_oidc_region or auth.aws_assume_role_region),
        allow=_patterns(given.allow_patterns),
        ignore=_patterns(given.ignore_patterns),
    )


def _of_model_cache(i: int, given: ModelRepo) -> Source:
    """On a volume at a folder of its own; without one, where Truss's build has put it."""
    scheme, separator, path = given.repo_id.rpartition("://")
    scheme = scheme if separator else _SCHEMES[given.kind]
    revision = f"@{given.revision}" if given.revision and scheme == "hf" else ""
    hub = not given.use_volume and scheme == "hf"
    mount = HUB if hub else f"{MODEL_CACHE}/{given.volume_folder if given.use_volume else path}"
    return Source(
        keys=("model_cache", i),
        source=f"{scheme}://{path}{revision}",
        mount=_normal(mount),
        read_only=False,
        hub=hub,
        secret=given.runtime_secret_name,
        needs_secret=given.runtime_secret_name != _HF_TOKEN,
        identity=None,
        role=None,
        region=None,
        allow=_patterns(given.allow_patterns),
        ignore=_patterns(given.ignore_patterns),
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


def _about(source: Source, stage: Stage) -> list[Finding]:
    findings: list[Finding] = []

    def say(message: str, help: str, level: Level = "error") -> None:
        findings.append(Finding("config", source.keys, message, help, level))

    if _TAKEN.fullmatch(source.mount):
        say(f"the mount {source.mount} would hide files that the server needs",
            "use a folder of its own, as in /models/NAME")  # fmt: skip
    if ".." in source.mount.split("/") or ":" in source.mount:
        say("Kubernetes cannot mount at this path", "write it without `..` and `:`")
    if not source.mount.isprintable() or len(source.mount.encode()) > _MAX_PATH:
        say("no folder can have this path", "write a short one, of characters that can be seen")
    scheme, _, path = source.source.partition("://")
    if scheme in _FORMS:
        form, kind, written = _FORMS[scheme]
        if not form.fullmatch(path):
            say(f"`{source.source}` is no {kind}", f"write {written}")
    wanted = source.identity or source.role
    if wanted and stage.service_account is None:
        say(f"the pod needs an identity of the cloud's for {wanted}",
            "give the stage `service_account: NAME`, bound to it", "up")  # fmt: skip
    _, at, revision = source.source.partition("@")
    if source.source.startswith("hf://") and not _COMMIT.fullmatch(revision):
        what = f"`{revision}`" if at else "the default branch"
        say(f"{what} moves, and what is fetched first stays",
            "write a commit, so that a new one is fetched", "warning")  # fmt: skip
    return findings


def _nested(sources: tuple[Source, ...]) -> list[Finding]:
    findings: list[Finding] = []
    outer = "//"
    for source in sorted(sources, key=lambda source: source.mount.split("/")):
        if not source.mount.startswith(f"{outer}/"):
            outer = source.mount
            continue
        message = f"the mount {source.mount} lies within {outer}"
        findings.append(Finding("config", source.keys, message, "give each a folder of its own"))
    return findings


def _shared(plan: Weights, stage: Stage, name: str) -> list[Finding]:
    replicas = stage.server(name).replicas
    if not plan.one_node or (stage.replicas if replicas is None else replicas) < 2:
        return []
    keys: Keys = ("servers", name, "replicas") if replicas is not None else ("replicas",)
    message = f"several replicas of `{name}` need one volume that only one node can have at a time"
    help = "write `access_mode: ReadWriteMany`, or `kind: node`, in the stage's `weights.storage`"
    return [Finding("stage", keys, message, help, "warning")]
