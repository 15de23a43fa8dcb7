"""Files that a server needs at its start (Truss: `weights`, `model_cache`, `external_data`)."""

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from trussform.config.credentials import FileName, WeightsAuth
from trussform.schema import Model, invalid
from trussform.source import is_mapping

_BUCKETS = ("s3", "gs", "azure", "r2", "cw")
SCHEMES = ("hf", *_BUCKETS, "https")
"""The schemes of a source: Hugging Face, buckets, and plain downloads."""

NonEmpty = Annotated[str, Field(min_length=1)]


def _source(source: str) -> str:
    scheme, colon, path = source.partition("://")
    if not colon or scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise invalid(f"`{source}` has no known scheme", f"start it with one of {known}")
    if not path or path.startswith("/"):
        raise invalid(
            f"`{source}` does not name a bucket or a repository", f"write {scheme}://NAME/PATH"
        )
    if scheme in _BUCKETS and "@" in path:
        raise invalid("only hf:// can have a revision", "remove `@` and the text after it")
    return source


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise invalid(f"`{path}` is not an absolute path", "start it with `/`")
    return path


class WeightsSource(Model):
    """One source of weights, and the path that the server reads them from."""

    source: Annotated[NonEmpty, AfterValidator(_source)]
    """The repository or bucket: `hf://owner/repo@revision`, `s3://bucket/path`."""
    mount_location: Annotated[NonEmpty, AfterValidator(_absolute)]
    """The absolute path of the weights in the server's container."""
    auth: WeightsAuth | None = None
    """The login to the source. Default: none."""
    auth_secret_name: FileName | None = None
    """The secret with the login; the same as `auth_secret_name` in `auth`."""
    allow_patterns: list[str] | None = None
    """Patterns of the files to download: `*.safetensors`. Default: all files."""
    ignore_patterns: list[str] | None = None
    """Patterns of the files to leave out. Default: none."""

    @model_validator(mode="after")
    def _check_secret(self) -> "WeightsSource":
        if self.auth_secret_name and self.auth and self.auth.auth_secret_name:
            message = "`auth_secret_name` is set twice, here and in `auth`"
            raise invalid(message, "remove one of the two")
        return self


def _check_mounts(sources: list[WeightsSource]) -> list[WeightsSource]:
    counts = Counter(source.mount_location for source in sources)
    for path, count in counts.items():
        if count > 1:
            message = f"{count} sources have the `mount_location` {path}"
            raise invalid(message, "use a different path for each source")
    return sources


Weights = Annotated[list[WeightsSource], AfterValidator(_check_mounts)]


class Repo(Model):
    """A repository of weights."""

    repo_id: NonEmpty
    """The repository: `owner/repo`, or the URL of a bucket."""
    revision: str = ""
    """A branch, a tag or a commit SHA. Required with `use_volume` for `kind: hf`."""
    allow_patterns: list[str] | None = None
    """Patterns of the files to download. Default: all files."""
    ignore_patterns: list[str] | None = None
    """Patterns of the files to leave out. Default: none."""
    volume_folder: NonEmpty | None = None
    """The folder below `/app/model_cache`. Required with `use_volume`."""
    kind: Literal["hf", "gcs", "s3", "azure"] = "hf"
    """The kind of store. Default: `hf`, Hugging Face."""
    runtime_secret_name: FileName = "hf_access_token"
    """The secret with the login. Default: `hf_access_token`."""

    @model_validator(mode="before")
    @classmethod
    def _check_volume(cls, data: Any) -> Any:
        if not is_mapping(data) or not data.get("use_volume"):
            return data
        if data.get("kind") in (None, "hf") and not data.get("revision"):
            raise invalid("a repository with `use_volume` needs a revision", "add `revision: …`")
        if not data.get("volume_folder"):
            raise invalid("a repository with `use_volume` needs a folder", "add `volume_folder: …`")
        return data

    @model_validator(mode="after")
    def _check_revision(self) -> "Repo":
        if len(self.revision) == 1:
            raise invalid("the revision has only one character", "write the whole revision")
        return self


class ModelRepo(Repo):
    """One entry of `model_cache`."""

    use_volume: bool
    """True mounts the files at `volume_folder`; false at the path that Truss's build uses."""


class CachedRepo(Repo):
    """One entry of `cache_internal`."""

    use_volume: bool = False
    """Ignored, like the whole entry. Default: false."""


class ExternalFile(Model):
    """One file that the image build downloads."""

    url: NonEmpty
    """The address of the file."""
    local_data_path: NonEmpty
    """The path of the file below `/app/data`."""
    backend: str = "http_public"
    """The way to download. Default: `http_public`, plain HTTP."""
    name: str | None = None
    """A name for readers of the config."""
