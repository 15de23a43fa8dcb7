"""The kube-apiserver accepts the objects of every form of a stage."""

from pathlib import Path
from typing import Any

import pytest
from support.deployed import kubectl
from support.stages import FORMS, GPU_SERVER
from support.workspace import Workspace
from trussform.cli.render import write

GKE = Path(__file__).with_name("gke_crds.yaml")


@pytest.fixture(scope="module", autouse=True)
def gke_crds(deployed: object) -> None:
    """Adds GKE's kinds of policies to a cluster without them."""
    if "networking.gke.io/v1" not in kubectl("api-versions").split():
        kubectl("apply", "--filename", str(GKE))
        kubectl("wait", "--for", "condition=Established", "--filename", str(GKE))


@pytest.mark.parametrize("form", FORMS)
def test_the_apiserver_accepts_the_objects_of_a_stage(
    workspace: Workspace, tmp_path: Path, form: str
) -> None:
    stage: dict[str, Any] = {"namespace": "default", "secrets": {"existing": "models"}}
    plan, problems = workspace.plan(GPU_SERVER, stage | FORMS[form])
    assert [problem for problem in problems if problem.level == "error"] == []
    out = tmp_path / "out"
    files = [path for path in write({"server": plan}, out) if path.suffix == ".yaml"]
    answer = kubectl(
        "apply", "--dry-run=server", "--validate=strict", "--filename", f"{out}/server"
    )
    assert answer.count("(server dry run)") == len(files) > 3
