"""The costs of Trussform as counts, which are alike on every machine: `make bench-smoke`.

A count that grows by a tenth is a fault. One that falls by a tenth gets a new value here.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import pytest
import trussform
from bench.contenders import CONFIG, STACK, Project
from bench.processes import cost, modules
from pulumi.runtime.mocks import set_mocks
from support.mocks import Answers, Recorder, run
from support.workspace import ROOT
from trussform import planning, stack_file
from trussform.cli import render

Result = TypeVar("Result")
PACKAGE = str(Path(trussform.__file__).parent)

PER_SERVER = {
    "RegisterResource": 4,
    "RegisterResourceOutputs": 1,
    "bytes of inputs": 8328,
}
"""The calls of the engine's interface for one server of a stack, and the bytes of its resources."""

MODULES = {"check": 367, "explain": 457, "render": 384}
"""The modules that a command has imported at its end."""

CALLS = {"plan": 824, "render": 998}
"""The calls of Trussform's own functions for one server."""


PROGRAM = """
import json, runpy, sys
from pulumi.runtime import set_config
from pulumi.runtime.mocks import set_mocks
from support.mocks import Answers, Recorder, run
recorder = Recorder(Answers())
set_mocks(recorder.mocks, project="p", stack="bench", preview=False, monitor=recorder)
set_config("trussform:secrets", '{"token": "t"}')
run(lambda: runpy.run_path("__main__.py"))
print(len(recorder.requests))
print(json.dumps(list(sys.modules)))
"""
"""Runs the ready-made program in its folder; prints its resources and the imported modules."""


class Counted(Recorder):
    """Counts the calls of the engine's interface, all of whose names are capitalized."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        super().__init__(Answers())

    def __getattribute__(self, name: str) -> Any:
        if name[0].isupper():
            self.calls[name] += 1
        return super().__getattribute__(name)


def near(value: float) -> Any:
    return pytest.approx(value, rel=0.1)


def test_the_calls_and_bytes_of_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few, many = (registered(tmp_path / str(count), count, monkeypatch) for count in (5, 15))
    assert {what: (many[what] - few[what]) / 10 for what in PER_SERVER} == near_each(PER_SERVER)
    assert few.keys() == many.keys()


def registered(folder: Path, count: int, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Returns the calls of the ready-made program with so many servers."""
    project = Project(folder, count)
    monkeypatch.chdir(project.folder)
    counted = Counted()
    set_mocks(counted.mocks, project="p", stack="bench", preview=False, monitor=counted)
    program = compile((ROOT / "__main__.py").read_text(), "__main__.py", "exec")
    run(lambda: exec(program, {}))
    sizes = [request.object.ByteSize() for request in counted.requests.values()]
    return counted.calls + Counter({"bytes of inputs": sum(sizes)})


def near_each(values: Mapping[str, float]) -> dict[str, Any]:
    return {name: near(value) for name, value in values.items()}


@pytest.mark.parametrize("command", MODULES)
def test_the_modules_of_a_command(command: str, tmp_path: Path) -> None:
    project = Project(tmp_path / "project", 1)
    found = modules(project.folder, command, "--stack", STACK)
    assert "pulumi" not in found
    assert len(found) == near(MODULES[command])


def test_a_program_imports_no_class_of_an_object(tmp_path: Path) -> None:
    """To import the classes of pulumi-kubernetes would double the imports of a program."""
    project = Project(tmp_path / "project", 1, {"create_namespace": True})
    project.write(project.names[0], {**CONFIG, "secrets": {"token": None}})
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}
    *_, resources, found = cost(
        [sys.executable, "-c", PROGRAM], project.folder, paths
    ).output.splitlines()
    assert int(resources) == PER_SERVER["RegisterResource"] + len(["Namespace", "Secret"])
    kinds = ("pulumi_kubernetes.apps.", "pulumi_kubernetes.core.")
    assert not [name for name in json.loads(found) if name.startswith(kinds)]


def test_the_work_of_a_server_and_its_growth(tmp_path: Path) -> None:
    few, more, many = (work(tmp_path / str(count), count) for count in (5, 10, 50))
    assert {what: (more[what] - few[what]) / 5 for what in CALLS} == near_each(CALLS)
    for what in CALLS:
        assert many[what] / few[what] < 10.05, f"{what} grows faster than the number of servers"


def work(folder: Path, count: int) -> dict[str, int]:
    """Returns the calls of Trussform's functions and methods for so many servers."""
    project = Project(folder, count)
    stack = stack_file.read_stack(project.folder / f"stacks/Pulumi.{STACK}.yaml")
    planned, planning_calls = counted(lambda: planning.plan_stack(stack))
    _, render_calls = counted(lambda: render.stream(planned.plans))
    return {"plan": planning_calls, "render": render_calls}


def counted(function: Callable[[], Result]) -> tuple[Result, int]:
    """Returns the result of a function, and the calls of Trussform's own functions in it."""
    calls = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            calls += 1

    sys.setprofile(count)
    try:
        result = function()
    finally:
        sys.setprofile(None)
    return result, calls
