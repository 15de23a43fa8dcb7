"""`make docs`: prints docs/conformance.md, what became of each real config beside the project."""

import sys
from pathlib import Path

from trussform import planning
from trussform.cli.render import objects
from trussform.plan import Plan
from trussform.problem import Problem, errors

CORPUS = Path(__file__).parent.parent.parent / "shared/corpus"

HEAD = """# What became of real configs

Made by `make docs` from {count} `config.yaml` files with a `docker_server` block, as their authors
published them, each by itself: the files that some have beside them are not there. {accepted} of
them check without an error. `tests/cluster/test_corpus.py` shows the objects of all to a real
kube-apiserver.

| config | image | GPU | weights | transport | objects | what is said of it |
| --- | --- | --- | --- | --- | --- | --- |"""


def main() -> None:
    files = sorted(CORPUS.glob("*/config.yaml"))
    if not files:
        sys.exit(f"{CORPUS}: no configs there, and the document is made from them")
    found = [planning.plan_stack(planning.without_stage(file), [file]) for file in files]
    accepted = sum(not errors(planned.problems) for planned in found)
    print(HEAD.format(count=len(files), accepted=accepted))
    for file, planned in zip(files, found, strict=True):
        print("|", " | ".join([file.parent.name, *row(planned.plans, planned.problems)]), "|")


def row(plans: dict[str, Plan], problems: list[Problem]) -> list[str]:
    said = "; ".join(f"{problem.field}: {problem.message}" for problem in problems) or "nothing"
    if not plans:
        return ["", "", "", "", "", f"refused: {said}"]
    (plan,) = plans.values()
    image = "built on the base" if plan.image.build else "the base itself"
    gpu = plan.gpu.why.partition(" by ")[0] if plan.gpu.per_pod else "none"
    stores = dict.fromkeys(source.source.partition("@")[0] for source in plan.weights.sources)
    kinds = [manifest["kind"] for manifest in objects(plan)]
    websocket = any(rule.name == "websocket" for rule in plan.routes.rules)
    transport = "websocket" if websocket else plan.routes.protocol
    cells = [image, gpu, ", ".join(stores) or "none", transport, ", ".join(kinds), said]
    return [cell.replace("|", "\\|") for cell in cells]


if __name__ == "__main__":
    main()
