"""The settings of a cluster: one YAML file that the tests and `make demo-cluster` read.

The file is `cluster.yaml` at the root of the project, or the one that `TRUSSFORM_CLUSTER` names.
`make cluster` writes one for the cluster that it boots. cluster.example.yaml explains each field.
"""

import os
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

ROOT = Path(__file__).parents[2]
VARIABLE = "TRUSSFORM_CLUSTER"
Gateway = Literal["traefik", "traefik_tls", "envoy", "nginx", "nginx_tls"]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Images(Part):
    python: str
    user: str | None = None
    bare: str | None = None


class PrivateRegistry(Part):
    images: str
    login: str
    google_key: str | None = None
    nodes_have_a_login: bool = False


class Keda(Part):
    prometheus: str


class Settings(Part):
    registry: str
    images: Images
    gateways: dict[Gateway, str]
    private_registry: PrivateRegistry | None = None
    hosts_file: Path | None = None
    names_folder: Path | None = None
    buildx_config: Path | None = None
    scanners: Path | None = None
    clients_python: Path | None = None
    enforces_network_policies: bool = False
    has_external_secrets: bool = False
    has_cert_manager: bool = False
    keda: Keda | None = None


def file() -> Path | None:
    """Returns the file of settings; None if there is none.

    Raises:
        FileNotFoundError: if `TRUSSFORM_CLUSTER` names a file that does not exist.
    """
    if given := os.environ.get(VARIABLE):
        if not Path(given).is_file():
            raise FileNotFoundError(f"{VARIABLE} names {given}, which is not a file")
        return Path(given)
    found = ROOT / "cluster.yaml"
    return found if found.is_file() else None


def read(file: Path) -> Settings:
    """Raises `pydantic.ValidationError` if a field is missing, unknown or of another type."""
    return Settings.model_validate(yaml.safe_load(file.read_text()))


def write(settings: Settings, file: Path) -> None:
    file.write_text(yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False))
