"""`make corpus`: clones the real configs that the tests and the page of conformance read."""

import os
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
URL = "https://github.com/basetenlabs/truss-examples"
COMMIT = "dc9c1665e8f362d4a8f0c57ccece0923b556d228"
CLONE = ROOT / "corpus"
"""Git ignores it; nothing of it is part of the project."""


def main() -> None:
    url = os.environ.get("TRUSSFORM_CORPUS_URL", URL)
    if not CLONE.is_dir():
        clone = ["git", "clone", "--quiet", "--filter=blob:none", "--no-checkout", url, str(CLONE)]
        if subprocess.run(clone, check=False).returncode:
            sys.exit(f"{url} cannot be cloned; TRUSSFORM_CORPUS_URL names another copy of it")
    # Without the weights and images that lie beside some configs.
    for command in (["sparse-checkout", "set", "--no-cone", "config.yaml"], ["checkout", COMMIT]):
        subprocess.run(["git", "-C", CLONE, *command], check=True, stderr=subprocess.DEVNULL)
    print(f"{len(configs())} configs with a docker_server block are in {CLONE}")


def configs() -> dict[str, Path]:
    """Returns the configs with a `docker_server` block, by the path of their folder.

    They are those of the folder TRUSSFORM_CORPUS, else of `../shared/corpus`, else of the clone.
    """
    given = os.environ.get("TRUSSFORM_CORPUS")
    folders = [Path(given)] if given else [ROOT.parent / "shared/corpus", CLONE]
    folder = next(filter(Path.is_dir, folders), CLONE)
    found = {
        file.parent.relative_to(folder).as_posix().replace("/", "__"): file
        for file in sorted(folder.rglob("config.yaml"))
        if "docker_server:" in file.read_text(errors="replace")
    }
    return {name: file for name, file in sorted(found.items()) if _has_docker_server(file)}


def _has_docker_server(file: Path) -> bool:
    config = yaml.safe_load(file.read_text())
    return isinstance(config, dict) and "docker_server" in config


if __name__ == "__main__":
    main()
