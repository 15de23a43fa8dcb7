"""Files that a server wants before it starts (Truss: `weights`, `model_cache`, `external_data`)."""

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from trussform.config.credentials import FileName, WeightsAuth
from trussform.schema import Model, invalid
from trussform.source import is_mapping

_BUCKETS = ("s3", "gs", "azure", "r2", "cw")
SCHEMES = ("hf", *_BUCKETS, "https")

Filled = Annotated[str, Field(min_length=1)]


def _source(source: str) -> str:
    scheme, colon, path = source.partition("://")
    if not colon or scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise invalid(f"`{source}` does not name a store of weights", f"begin with one of {known}")
    if not path or path.startswith("/"):
        raise invalid(
            f"`{source}` does not name a bucket or a repository", f"write {scheme}://NAME/PATH"
        )
    if scheme in _BUCKETS and "@" in path:
        raise invalid("only hf:// takes a revision", "remove what follows `@`")
    return source


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise invalid(f"`{path}` is not an absolute path", "start it with `/`")
    return path


class WeightsSource(Model):
    source: Annotated[Filled, AfterValidator(_source)]
    """`hf://owner/repo@revision`, `s3://bucket/path`, …"""
    mount_location: Annotated[Filled, AfterValidator(_absolute)]
    """The path in the server's container."""
    auth: WeightsAuth | None = None
    auth_secret_name: FileName | None = None
    """The secret with the store's login."""
    allow_patterns: list[str] | None = None
    ignore_patterns: list[str] | None = None

    @model_validator(mode="after")
    def _one_secret(self) -> "WeightsSource":
        if self.auth_secret_name and self.auth and self.auth.auth_secret_name:
            raise invalid("auth_secret_name is set twice: here and in auth", "remove one of them")
        return self


def _distinct(sources: list[WeightsSource]) -> list[WeightsSource]:
    counts = Counter(source.mount_location for source in sources)
    for place, count in counts.items():
        if count > 1:
            raise invalid(f"two sources have the mount_location {place}", "give each its own")
    return sources


Weights = Annotated[list[WeightsSource], AfterValidator(_distinct)]


class Repo(Model):
    """A repository whose files the image or a volume has."""

    repo_id: Filled
    revision: str = ""
    allow_patterns: list[str] | None = None
    ignore_patterns: list[str] | None = None
    volume_folder: Filled | None = None
    kind: Literal["hf", "gcs", "s3", "azure"] = "hf"
    runtime_secret_name: FileName = "hf_access_token"

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, data: Any) -> Any:
        if not is_mapping(data) or not data.get("use_volume"):
            return data
        if data.get("kind") in (None, "hf") and not data.get("revision"):
            raise invalid("a repository on a volume needs its revision", "add `revision: …`")
        if not data.get("volume_folder"):
            raise invalid("a repository on a volume needs its folder", "add `volume_folder: …`")
        return data

    @model_validator(mode="after")
    def _revision(self) -> "Repo":
        if len(self.revision) == 1:
            raise invalid("a revision has two characters or more", "write it in full")
        return self


class ModelRepo(Repo):
    use_volume: bool


class CachedRepo(Repo):
    use_volume: bool = False


class ExternalFile(Model):
    url: Filled
    local_data_path: Filled
    backend: str = "http_public"
    name: str | None = None
