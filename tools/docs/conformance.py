"""`make docs`: prints docs/conformance.md, the plan of each real config."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from docs.corpus import COMMIT, URL, configs
from trussform import planning
from trussform.cli.render import objects
from trussform.plan import Plan
from trussform.problem import Problem, errors

HEAD = """# What became of real configs

Made by `make docs` from the {count} `config.yaml` files with a `docker_server` block of
[truss-examples]({url}/tree/{commit}), commit `{short}`. Each is checked by itself, without the
files beside it. {accepted} of them check without an error. `tests/cluster/test_corpus.py` sends
the objects of all to a real kube-apiserver. `make corpus` clones the files.

| config | image | GPU | weights | transport | objects | what is said of it |
| --- | --- | --- | --- | --- | --- | --- |"""


def main() -> None:
    found = {name: planned_alone(file) for name, file in configs().items()}
    if not found:
        sys.exit("there are no configs to make the page from; run `make corpus`")
    accepted = sum(not errors(planned.problems) for planned in found.values())
    numbers = {"count": len(found), "accepted": accepted}
    print(HEAD.format(url=URL, commit=COMMIT, short=COMMIT[:7], **numbers))
    for name, planned in found.items():
        print("|", " | ".join([name, *row(planned.plans, planned.problems)]), "|")


def planned_alone(file: Path) -> planning.Planned:
    """Returns the plan of a config without the files beside it."""
    with TemporaryDirectory() as folder:
        alone = Path(folder) / file.parent.name / file.name
        alone.parent.mkdir()
        alone.write_bytes(file.read_bytes())
        return planning.plan_stack(planning.without_stage(alone), [alone])


def row(plans: dict[str, Plan], problems: list[Problem]) -> list[str]:
    said = "; ".join(f"{problem.field}: {problem.message}" for problem in problems) or "nothing"
    if not plans:
        return ["", "", "", "", "", f"refused: {said}"]
    (plan,) = plans.values()
    image = "built on the base" if plan.image.build else "the base itself"
    gpu = plan.gpu.why.partition(" in the config")[0] if plan.gpu.per_pod else "none"
    stores = dict.fromkeys(source.source.partition("@")[0] for source in plan.weights.sources)
    kinds = [manifest["kind"] for manifest in objects(plan)]
    websocket = any(rule.name == "websocket" for rule in plan.routes.rules)
    transport = "websocket" if websocket else plan.routes.protocol
    cells = [image, gpu, ", ".join(stores) or "none", transport, ", ".join(kinds), said]
    return [cell.replace("|", "\\|") for cell in cells]


if __name__ == "__main__":
    main()
