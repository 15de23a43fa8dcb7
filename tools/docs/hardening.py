"""`make docs`: prints docs/hardening.md, what scanners say of the examples and stays so."""

from pathlib import Path
from typing import Any

import yaml

EXCEPTIONS = Path(__file__).parents[2] / "tests/cluster/exceptions.yaml"

HEAD = """# What scanners say, and why it stays so

Made by `make docs` from `tests/cluster/exceptions.yaml`. `make e2e` runs checkov and kube-score
over all that `trussform render` writes for every config of `examples/`, and for a server with
weights, in three stages:

- `gateway`: HTTPRoutes with API keys, three replicas, and `ingress_from`.
- `ingress`: Ingress objects with a certificate, and else what a stage gets that says nothing.
- `user`: as `ingress`, with `run_as_user_id`, forward auth, two replicas, and `ingress_from`.

Nothing else is found; a finding that is not here fails the test, and so does one that is here and
no longer found.

| finding | stages | why it stays so |
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
