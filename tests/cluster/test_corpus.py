"""Every config of the corpus, as the kube-apiserver sees what becomes of it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from support.deployed import kubectl
from support.workspace import CORPUS, STAGE, plans_of
from trussform import stack_file
from trussform.cli.render import write

GATEWAY = {"kind": "gateway", "name": "gateway"}
ENVOY = {**GATEWAY, "controller": "envoy-gateway"}
TRAEFIK = {"kind": "ingress", "controller": "traefik"}
NGINX = {"kind": "ingress", "controller": "nginx"}


@pytest.mark.usefixtures("deployed")
@pytest.mark.skipif(not CORPUS, reason="there are no real configs; run `make corpus`")
@pytest.mark.parametrize(
    "stage",
    [
        {"route": GATEWAY},
        {"route": ENVOY, "auth": {"kind": "api-key", "existing": "clients"}},
        {"route": TRAEFIK, "weights": {"storage": {"kind": "existing", "claim": "models"}}},
        {"route": NGINX, "weights": {"storage": {"kind": "node"}}},
    ],
    ids=["gateway", "envoy", "traefik", "nginx"],
)
def test_the_apiserver_takes_what_becomes_of_every_config(
    tmp_path: Path, stage: dict[str, Any]
) -> None:
    file = tmp_path / "Pulumi.dry.yaml"
    whole = {**STAGE, "namespace": "default", "secrets": {"existing": "models"}, **stage}
    file.write_text(yaml.safe_dump({"config": {"trussform:stage": whole}}))
    plans, _ = plans_of(stack_file.read_stack(file), CORPUS)
    assert len(plans) == len(CORPUS)
    files = [path for path in write(plans, tmp_path / "out") if path.suffix == ".yaml"]
    answer = kubectl("apply", "--dry-run=server", "--recursive", "--filename", f"{tmp_path}/out")
    assert answer.count("(server dry run)") == len(files)
