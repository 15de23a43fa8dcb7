"""`make docs`: prints docs/hardening.md, the accepted findings of the scanners."""

from pathlib import Path
from typing import Any

import yaml

EXCEPTIONS = Path(__file__).parents[2] / "tests/cluster/exceptions.yaml"

HEAD = """# Accepted findings of scanners

Made by `make docs` from `tests/cluster/exceptions.yaml`. `make e2e` runs checkov and kube-score on
the rendered objects of every config of `examples/servers/` and of a server with weights, in three
stages:

- `gateway`: HTTPRoutes with API keys, three replicas, and `ingress_from`.
- `ingress`: Ingress objects with a certificate, and the defaults of a stage for the rest.
- `user`: as `ingress`, with `run_as_user_id`, forward auth, two replicas, and `ingress_from`.

A finding that is not in this table fails the test. So does a row without a finding.

| finding | stages | reason |
| --- | --- | --- |"""


def main() -> None:
    print(HEAD)
    for exception in yaml.safe_load(EXCEPTIONS.read_text()):
        print(row(exception))


def row(exception: dict[str, Any]) -> str:
    findings = "<br>".join(exception["findings"])
    return f"| {findings} | {', '.join(exception.get('stages', ['all']))} | {exception['reason']} |"


if __name__ == "__main__":
    main()
