"""The findings of checkov and kube-score in the rendered objects of the examples.

No cluster is asked. What stays as it is stands in exceptions.yaml, with its reason; any other
finding fails, and so does an exception that nothing is found for.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.cluster import cluster, needed
from support.reliability import record
from support.stages import AS_USER, COMMON, SERVERS
from support.workspace import ROOT, plans_of
from trussform import planning, stack_file
from trussform.cli import render
from trussform.problem import errors

Finding = tuple[str, str]
"""The stage, and the scanner's words for it."""
Found = dict[Finding, list[str]]
"""With what it is said of."""

HERE = Path(__file__).parent
DIGEST = f"sha256:{'5' * 64}"

STAGES: dict[str, dict[str, Any]] = {
    "gateway": {
        "route": {"kind": "gateway", "name": "public", "controller": "envoy-gateway"},
        "auth": {"kind": "api-key", "existing": "clients"},
        "ingress_from": [{"namespace": "envoy-gateway-system"}],
        "replicas": 3,
    },
    "ingress": {
        "route": {"kind": "ingress", "controller": "traefik", "tls": {"secret": "certificate"}},
        "auth": "none",
    },
    "user": {
        "route": {"kind": "ingress", "controller": "traefik", "tls": {"issuer": "letsencrypt"}},
        "auth": {"kind": "forward", "service": "gatekeeper", "namespace": "auth"},
        "ingress_from": [{"namespace": "traefik"}],
        "replicas": 2,
    },
}
"""exceptions.yaml says what they are for."""


@pytest.fixture(scope="module")
def programs() -> Path:
    return needed(cluster().scanners, "scanners")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each stage, with all that `render` writes."""
    folder = tmp_path_factory.mktemp("rendered")
    (folder / "Pulumi.yaml").write_text("name: scanned\nruntime: python\n")
    for name, stage in STAGES.items():
        file = folder / f"Pulumi.{name}.yaml"
        file.write_text(yaml.safe_dump({"config": {"trussform:stage": _stage(name, stage)}}))
        plans, problems = plans_of(stack_file.read_stack(file))
        assert errors(problems) == []
        assert plans.keys() == SERVERS.keys()
        assert list(render.write(plans, folder / "out" / name))
    return folder / "out"


def _stage(name: str, stage: dict[str, Any]) -> dict[str, Any]:
    config = AS_USER if name == "user" else {}
    return {
        **COMMON,
        **stage,
        "namespace": "models",
        "digests": dict.fromkeys(_tags(), DIGEST),
        "servers": {name: {"path": str(at), "config": config} for name, at in SERVERS.items()},
    }


def _tags() -> list[str]:
    plans, _ = plans_of(planning.without_stage(ROOT), list(SERVERS.values()))
    named = [image for plan in plans.values() for image in (plan.digest, plan.fetcher.image)]
    return [image.name for image in named if image]


@pytest.fixture(scope="module")
def found(programs: Path, rendered: Path) -> Found:
    """Each stage by itself: checkov takes the policy of one namespace for another's pods too."""
    found: Found = {}
    for stage in STAGES:
        folder = rendered / stage
        for words, at in (*_by_checkov(programs, folder), *_by_kube_score(programs, folder)):
            found.setdefault((stage, words), []).append(at)
    return found


def _by_checkov(programs: Path, folder: Path) -> Iterator[tuple[str, str]]:
    options = ("--directory", ".", "--framework", "kubernetes", "dockerfile", "--output", "json",
               "--quiet", "--skip-download", "--soft-fail")  # fmt: skip
    reports = json.loads(_said(folder, [programs / "checkov", *options]))
    assert {report["check_type"] for report in reports} == {"kubernetes", "dockerfile"}
    for report in reports:
        assert report["summary"]["parsing_errors"] == 0
        for check in report["results"]["failed_checks"]:
            yield f"{check['check_id']}: {check['check_name']}", check["resource"]


def _by_kube_score(programs: Path, folder: Path) -> Iterator[tuple[str, str]]:
    options = ("--kubernetes-version", "v1.35", "--output-format", "json",
               "--disable-ignore-checks-annotations")  # fmt: skip
    files = sorted(folder.rglob("*.yaml"))
    # 1 says that something was found.
    said = _said(folder, [programs / "kube-score", "score", *options, *files], (0, 1))
    for scored in json.loads(said):
        for check in scored["checks"]:
            if check["skipped"] or check["grade"] == 10:
                continue
            for comment in check["comments"]:
                at = f"{scored['object_name']} {comment['path']}".strip()
                yield f"{check['check']['id']}: {comment['summary']}", at


def _said(folder: Path, command: list[Any], codes: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode in codes, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def exceptions() -> set[Finding]:
    return {
        (stage, finding)
        for exception in yaml.safe_load((HERE / "exceptions.yaml").read_text())
        for stage in exception.get("stages", STAGES)
        for finding in exception["findings"]
    }


def test_nothing_is_found_but_the_exceptions(found: Found, exceptions: set[Finding]) -> None:
    assert {finding: at for finding, at in found.items() if finding not in exceptions} == {}


def test_no_exception_is_made_for_nothing(found: Found, exceptions: set[Finding]) -> None:
    assert exceptions - found.keys() == set()
    record(
        "scanners",
        f"checkov and kube-score over all that `render` writes for {len(SERVERS)} servers in "
        f"{len(STAGES)} stages",
        f"no finding but {len(exceptions)} exceptions, each with its reason in docs/hardening.md",
    )
