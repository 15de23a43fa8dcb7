"""A config and the files beside it: all that describes one server."""

from dataclasses import dataclass
from pathlib import Path

from trussform.config.config import NOT_YET, WITHOUT_EFFECT, Config, looks_like_a_token
from trussform.problem import Finding, Keys, Problem, Refused
from trussform.schema import fit
from trussform.source import Source, read

CONFIG_FILE = "config.yaml"
REQUIREMENTS_FILE = "requirements.txt"


@dataclass(frozen=True)
class Truss:
    """One server as its author wrote it, with the stage's override applied."""

    config: Config
    source: Source
    folder: Path
    requirements_file: Path | None
    """The file of requirements that applies, where there is one."""
    folders: tuple[tuple[Path, str], ...]
    """Folders that the image gets, each with its place there."""
    findings: tuple[Finding, ...]


def read_truss(path: Path, patch: Source | None = None) -> Truss:
    """Read a `config.yaml` (or the folder that holds one), overridden by `patch`.

    Raises `Refused` with every problem of the file at its line.
    """
    file = path if path.suffix in (".yaml", ".yml") else path / CONFIG_FILE
    source = read(file)
    if patch is not None:
        source = source.patched(patch)
    known, problems = _without_unsupported(source)
    problems += _real_secrets(source)
    try:
        config = fit(Config, known)
    except Refused as refused:
        raise Refused([*refused.problems, *problems]) from None
    if problems:
        raise Refused(problems)
    requirements, requirement_findings = _requirements_file(config, file.parent)
    return Truss(
        config,
        source,
        file.parent,
        requirements,
        _folders(config, file.parent),
        (*_remarks(source), *requirement_findings),
    )


def _without_unsupported(source: Source) -> tuple[Source, list[Problem]]:
    """Take out what Truss knows and Trussform does not honour yet, one problem each."""
    problems: list[Problem] = []
    for name in NOT_YET:
        keys: Keys = tuple(name.split("."))
        if keys not in source.names:
            continue
        if _at(source, keys) not in (None, [], {}, ""):
            problems.append(
                Problem(
                    source.name_place(keys),
                    name,
                    "Trussform cannot honour this field yet",
                    "remove it here, or have what it does done in the image",
                )
            )
        source = source.without(keys)
    return source, problems


def _real_secrets(source: Source) -> list[Problem]:
    secrets = source.data.get("secrets") if isinstance(source.data, dict) else None
    if not isinstance(secrets, dict):
        return []
    return [
        Problem(
            source.place(("secrets", name)),
            f"secrets.{name}",
            "this looks like a real secret, and the file is no place for it",
            f"write `{name}: null`, give the value to the stage, and have this one revoked",
        )
        for name, value in secrets.items()
        if isinstance(value, str) and looks_like_a_token(value)
    ]


def _remarks(source: Source) -> list[Finding]:
    """What is worth a warning and not an error."""
    remarks = [
        Finding(
            "config",
            tuple(name.split(".")),
            "has no effect on a custom server",
            "nothing to do; remove it if it confuses readers",
            "warning",
        )
        for name in WITHOUT_EFFECT
        if tuple(name.split(".")) in source.names
    ]
    for name, value in (source.data.get("secrets") or {}).items():
        if value is not None:
            remarks.append(
                Finding(
                    "config",
                    ("secrets", name),
                    "the text here is not used",
                    "write null; the value comes from the stage",
                    "warning",
                )
            )
    return remarks


def _requirements_file(config: Config, folder: Path) -> tuple[Path | None, list[Finding]]:
    if config.requirements_file:
        file = folder / config.requirements_file
        keys: Keys = ("requirements_file",)
        if not file.is_file():
            return None, [
                Finding("config", keys, "no such file beside the config", f"create {file}")
            ]
        if file.suffix in (".toml", ".lock"):
            return None, [
                Finding(
                    "config",
                    keys,
                    f"Trussform cannot install from {file.name} yet",
                    "export it to a requirements.txt",
                )
            ]
        return file, []
    file = folder / REQUIREMENTS_FILE
    if config.requirements or config.docker_server.no_build or not file.is_file():
        return None, []
    return file, [
        Finding(
            "config",
            (),
            f"{REQUIREMENTS_FILE} lies beside the config and is installed, which Baseten does not do",
            f"add `requirements_file: {REQUIREMENTS_FILE}` so that both do",
            "warning",
        )
    ]


def _folders(config: Config, folder: Path) -> tuple[tuple[Path, str], ...]:
    places = (
        (config.data_dir, "/app/data"),
        (config.model_module_dir, "/app/model"),
        (config.bundled_packages_dir, "/packages"),
    )
    return tuple((folder / name, place) for name, place in places if (folder / name).is_dir())


def _at(source: Source, keys: Keys) -> object:
    data = source.data
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data
