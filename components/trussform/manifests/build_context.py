"""The build context of an image: a Dockerfile, and the files that it copies."""

import hashlib
import json
import shlex
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from trussform.plan.image import Build
from trussform.problem import Location, Problem, ProblemError

_HEAD = "# Made by Trussform"
_PIECE = 1 << 20
_TAG = 16
"""The digits of a tag."""

Context = Mapping[str, str | Path]
"""Files of the context by their name in it: text made here, or a file to copy."""


def context(build: Build, base: str) -> Context:
    """Returns the files of the context for a build on `base`."""
    files: dict[str, str | Path] = {"Dockerfile": dockerfile(build, base)}
    if build.system_packages:
        files["system-packages.txt"] = "".join(f"{name}\n" for name in build.system_packages)
    files |= build.requirements
    for folder in build.folders:
        for file in folder.files:
            files[f"files{folder.place}/{file.relative_to(folder.path)}"] = file
    return files


def tag(context: Context) -> str:
    """Returns a tag from the context's content: the same for the same files on every machine."""
    total = hashlib.sha256()
    for name in sorted(context):
        for _ in _read(name, context[name], total.update):
            pass
    return total.hexdigest()[:_TAG]


def _read(name: str, content: str | Path, update: Callable[[bytes], None]) -> Iterator[bytes]:
    """Yields a file of the context in pieces, and updates the hash of the context with it."""
    if isinstance(content, str):
        data = content.encode()
        update(f"{name}\0-\0{len(data)}\0".encode() + data)
        yield data
        return
    about = content.stat()
    executable = "x" if about.st_mode & 0o100 else "-"
    update(f"{name}\0{executable}\0{about.st_size}\0".encode())
    with open(content, "rb") as file:  # It may be larger than the memory.
        while piece := file.read(_PIECE):
            update(piece)
            yield piece


def name(registry: str | None, server: str, tag: str) -> str:
    """Returns the image's name: `registry.example.com/models/embeddings:0123456789abcdef`."""
    return f"{registry}/{server}:{tag}" if registry else f"{server}:{tag}"


def write(context: Context, folder: Path) -> str:
    """Writes the context into `folder`, in place of an earlier one, and returns its tag.

    Each file is read once, because data may have many GB. Raises `ProblemError` where the folder
    holds something else, which would be lost.
    """
    if folder.is_dir() and any(folder.iterdir()) and not _is_context(folder):
        message = "the folder is not empty, and a build context would replace its files"
        fix = "name another folder"
        raise ProblemError([Problem(None, (), message, fix, location=Location(str(folder)))])
    shutil.rmtree(folder, ignore_errors=True)
    total = hashlib.sha256()
    for name in sorted(context):
        content, file = context[name], folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(file, "wb") as copy:
            copy.writelines(_read(name, content, total.update))
        if isinstance(content, Path):
            shutil.copymode(content, file)
    return total.hexdigest()[:_TAG]


def _is_context(folder: Path) -> bool:
    file = folder / "Dockerfile"
    return file.is_file() and file.read_text(errors="replace").startswith(_HEAD)


def dockerfile(build: Build, base: str) -> str:
    """Returns the Dockerfile, its rarest changes first. No text of the config is an instruction:
    lists are files, and commands are JSON."""
    head = [f"{_HEAD} for {build.platform}; it is written anew each time.", f"FROM {base}"]
    owner = f"{build.user or 0}:{build.user or 0}"
    if build.bare:
        copies = [
            f"COPY --chown={owner} files{f.place} {f.place}" for f in build.folders if f.files
        ]
        return "\n".join([*head, *copies]) + "\n"
    places = " ".join(dict.fromkeys(folder.place for folder in build.folders))
    steps = [
        *head,
        "USER root",
        "ENV HOME=${HOME:-/root} APP_HOME=/app DEBIAN_FRONTEND=noninteractive",
        "ENV PATH=${PATH}:${HOME}/.local/bin",
        _run(_CHECK_DEBIAN),
        _run(_CHECK_PYTHON.format(python=shlex.quote(build.python))),
        _run(f"mkdir -p /app /packages /workspace {places}".rstrip()),
    ]
    if build.user is None:
        steps.append(_run(_ADD_USER))
    if build.system_packages:
        steps.append("COPY system-packages.txt /tmp/trussform/")
        if build.buildkit:
            steps.append(_run(_INSTALL_SYSTEM_PACKAGES_CACHED, _APT_CACHES))
        else:
            steps.append(_run(_INSTALL_SYSTEM_PACKAGES))
    arguments = _exports(build.arguments)
    uses = [f"type=secret,id={name},target={path}" for name, path in build.secrets.items()]
    if "curl" in build.tools:
        steps.append(_run(_INSTALL_CURL))
    if "uv" in build.tools:
        steps.append(_run(_INSTALL_UV.format(python=shlex.quote(build.python))))
    if build.requirements:
        steps.append(f"COPY {' '.join(build.requirements)} /tmp/trussform/")
        export, file = _requirements(build.requirements)
        install = _INSTALL_REQUIREMENTS.format(python=shlex.quote(build.python), file=file)
        cache, caches = (_UV_CACHE, _UV_CACHES) if build.buildkit else (_NO_UV_CACHE, ())
        steps.append(_run(f"{arguments}{cache}{export}{install}", caches))
    steps += [_run(_download(url, path)) for url, path in build.downloads]
    copied = dict.fromkeys(f.place for f in build.folders if f.files)
    steps += [f"COPY files{place} {place}" for place in copied]
    steps += [_run(f"{arguments}{command}", uses) for command in build.commands]
    steps.append(_run(_OPEN_TMP))
    if build.user is not None:
        own = '"$HOME" /app /packages /workspace'
        steps.append(_run(f"mkdir -p {own} && chown -R {owner} {own}"))
        steps.append(f"USER {build.user}")
    return "\n".join(steps) + "\n"


def _exports(arguments: Mapping[str, str]) -> str:
    """Returns the arguments as variables of one command, because Docker would expand ARG."""
    words = " ".join(f"{name}={shlex.quote(value)}" for name, value in arguments.items())
    return f"export {words}; " if words else ""


def _requirements(files: Mapping[str, str | Path]) -> tuple[str, str]:
    """Returns the command before the installation, and the file to install from."""
    if "uv.lock" in files:
        return f"{_EXPORT_LOCK} && ", "locked.txt"
    return "", "pyproject.toml" if "pyproject.toml" in files else "requirements.txt"


def _download(url: str, path: str) -> str:
    folder, file = shlex.quote(path.rpartition("/")[0]), shlex.quote(path)
    return f"mkdir -p {folder} && curl -fsSL --globoff --retry 5 -o {file} -- {shlex.quote(url)}"


_ADD_USER = (
    "id -u app >/dev/null 2>&1 || useradd -u 60000 -ms /bin/bash app || "
    "echo 'WARNING: the user app, which Baseten adds, could not be added' >&2"
)
_OPEN_TMP = "rm -rf /tmp/trussform && mkdir -p /tmp && chmod 1777 /tmp"
_CHECK_DEBIAN = (
    r"grep -qwE 'ID=\"?debian|ID_LIKE=.*debian' /etc/os-release || "
    "{ echo 'ERROR: the base image is not Debian or built on it, as Truss demands' >&2; exit 1; }"
)
_CHECK_PYTHON = (
    "{python} -c 'import sys; sys.exit(not (3, 9) <= sys.version_info[:2] <= (3, 14))' || "
    "{{ echo 'ERROR: the base image needs Python 3.9 to 3.14, as Truss demands' >&2; exit 1; }}"
)
_INSTALL = (
    "apt-get update && "
    "xargs -a /tmp/trussform/system-packages.txt apt-get install -y --no-install-recommends"
)
_INSTALL_SYSTEM_PACKAGES = f"{_INSTALL} && rm -rf /var/lib/apt/lists/*"
_APT_CACHES = [
    "type=cache,target=/var/lib/apt/lists,sharing=locked",
    "type=cache,target=/var/cache/trussform/apt,sharing=locked",
]
# Images made for Docker empty apt's own folder of packages after each installation.
_INSTALL_SYSTEM_PACKAGES_CACHED = (
    "mkdir -p /var/cache/trussform/apt/partial && "
    f"{_INSTALL} -o Dir::Cache::archives=/var/cache/trussform/apt"
)
_UV_CACHES = ["type=cache,target=/var/cache/trussform/uv"]
_UV_CACHE = "export UV_CACHE_DIR=/var/cache/trussform/uv UV_LINK_MODE=copy; "
_NO_UV_CACHE = "export UV_NO_CACHE=1; "
_INSTALL_UV = (
    "command -v uv >/dev/null && exit; "
    "if ! {python} -m pip --version >/dev/null 2>&1; then "
    "apt-get update && apt-get install -y --no-install-recommends python3-pip && "
    "rm -rf /var/lib/apt/lists/*; fi && "
    "PIP_BREAK_SYSTEM_PACKAGES=1 {python} -m pip install --no-cache-dir uv"
)
_INSTALL_REQUIREMENTS = (
    'UV_HTTP_TIMEOUT=300 uv pip install --python "$(command -v {python})" '
    "--system --break-system-packages --index-strategy unsafe-best-match "
    "-r /tmp/trussform/{file}"
)
_EXPORT_LOCK = (
    "cd /tmp/trussform && "
    "uv export --quiet --frozen --no-emit-project --format requirements-txt -o locked.txt"
)
_INSTALL_CURL = (
    "command -v curl >/dev/null || { apt-get update && "
    "apt-get install -y --no-install-recommends curl ca-certificates && "
    "rm -rf /var/lib/apt/lists/*; }"
)


def _run(command: str, mounts: Iterable[str] = ()) -> str:
    options = "".join(f"--mount={mount} " for mount in mounts)
    return f"RUN {options}" + json.dumps(["/bin/sh", "-c", command])
