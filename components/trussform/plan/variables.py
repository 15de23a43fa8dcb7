"""The environment variables of the server."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from trussform.config import Config
from trussform.plan.command import CommandPlan
from trussform.plan.driver import DriverPlan
from trussform.plan.files import FilesPlan
from trussform.plan.given import Given
from trussform.plan.names import NamesPlan
from trussform.plan.reserved import is_reserved, own_variables
from trussform.plan.weights import WeightsPlan
from trussform.problem import Problem

POD_FIELDS = {"BT_MODEL_DEPLOYMENT_ID": "metadata.labels['pod-template-hash']"}
"""Variables that Baseten sets and that Kubernetes takes from a field of the pod."""


class VariablesPlan(NamedTuple):
    """The environment variables of the container."""

    texts: Mapping[str, str]
    """The value of each variable."""
    fields: Mapping[str, str]
    """The field of the pod that each other variable is taken from."""
    why: str
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        return ", ".join(f"{name}={text}" for name, text in {**self.texts, **self.fields}.items())


def plan_variables(
    given: Given,
    names: NamesPlan,
    command: CommandPlan,
    weights: WeightsPlan,
    files: FilesPlan,
    driver: DriverPlan,
) -> VariablesPlan:
    """Decides the variables: Baseten's and those of known servers; the config's take precedence."""
    config = given.config
    server = config.docker_server
    baseten = {"APP_HOME": "/app", "PORT": str(server.server_port), "BT_MODEL_ID": names.server}
    if not server.no_build:
        base = config.base_image
        baseten["PYTHON_EXECUTABLE"] = (base and base.python_executable_path) or "python3"
        if files.copied:
            # An image that was not built for this user may have no home for it.
            baseten["HOME"] = "/tmp"
    texts = {
        **driver.variables,
        **weights.server_variables,
        **command.variables,
        **baseten,
        **own_variables(config),
    }
    fields = {name: field for name, field in POD_FIELDS.items() if name not in texts}
    why = (
        "variables that Baseten sets or that the server needs, and `environment_variables` of the "
        "config, which take precedence"
    )
    return VariablesPlan(texts, fields, why, tuple(_reserved_problems(config)))


def _reserved_problems(config: Config) -> Iterator[Problem]:
    """Yields a warning for each variable whose name Baseten reserves."""
    fixes = {
        "PATH": "write `export PATH=/folder:$PATH` in `sh -c`, or set `ENV PATH` in the base image",
        "PORT": f"remove it; PORT is `server_port`, {config.docker_server.server_port}",
        "HOSTNAME": "remove it; Kubernetes sets HOSTNAME to the name of the pod",
    }
    for name in filter(is_reserved, config.environment_variables):
        message = f"{name} is a reserved name, so the variable is ignored, as on Baseten"
        other = "" if is_reserved(f"MY_{name}") else f", as in `MY_{name}`"
        fix = fixes.get(name, f"remove it, or use another name{other}")
        yield Problem("config", ("environment_variables", name), message, fix, "warning")
