"""The names of Baseten's machines, and what each has."""

import re

import pytest
from trussform.config.instances import ACCELERATORS, MACHINES, Machine, machine, similar
from trussform.config.resources import Resources

PUBLISHED = [
    "1x2", "1x4", "2x8", "4x16", "8x32", "16x64",
    "T4x4x16", "T4x8x32", "T4x16x64", "T4:2x24x96", "T4:4x48x192",
    "L4:4x16", "L4:2x24x96", "L4:4x48x192",
    "A10Gx4x16", "A10Gx8x32", "A10Gx16x64", "A10G:2x24x96", "A10G:4x48x192", "A10G:8x192x768",
    "A100:12x144", "A100:2x24x288", "A100:3x36x432", "A100:4x48x576", "A100:5x60x720",
    "A100:6x72x864", "A100:7x84x1008", "A100:8x96x1152",
    "H100", "H100:2", "H100:4", "H100:8", "H100MIG",
    "H200", "H200:2", "H200:4", "H200:8",
    "B200", "B200:2", "B200:4", "B200:8",
    "RTX-PRO-6000", "RTX-PRO-6000:2", "RTX-PRO-6000:4", "RTX-PRO-6000:8",
]  # fmt: skip
"""https://docs.baseten.co/deployment/resources, "Instance type reference"."""


def test_the_table_has_every_published_name() -> None:
    assert [*MACHINES] == PUBLISHED


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_name_gives_what_the_machine_has(name: str) -> None:
    listed = MACHINES[name]
    assert machine(name) == listed
    resources = Resources.model_validate({"instance_type": name, "cpu": "9", "accelerator": "T4:9"})
    assert (resources.cpu, resources.memory) == (str(listed.cpu), f"{listed.memory}Gi")
    given = resources.accelerator
    assert (given and given.name, given.count if given else 0) == listed[:2]


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name.count("x") > 0])
def test_the_cpu_in_a_name_is_the_machines(name: str) -> None:
    assert re.split("[:x]", name)[-2] == str(MACHINES[name].cpu)


@pytest.mark.parametrize("name", [name for name in PUBLISHED if MACHINES[name].accelerator])
def test_a_colon_and_an_x_mean_the_same(name: str) -> None:
    gpu = name.split(":")[0]
    assert machine(name.replace(":", "x")) == MACHINES[name]
    if gpu == name and "x" in name:
        assert machine(name.replace("x", ":", 1)) == MACHINES[name]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("H100:3", Machine("H100", 3, 48, 354)),
        ("A100:2", Machine("A100", 2, 24, 288)),
        ("L4", Machine("L4", 1, 4, 16)),
        ("L4x4x16", Machine("L4", 1, 4, 16)),
        ("L4:8x32", Machine("L4", 1, 8, 32)),
        ("6x64", Machine(None, 0, 6, 64)),
        ("V100x8x61", Machine("V100", 1, 8, 61)),
        ("RTX_PRO_6000:4", Machine("RTX_PRO_6000", 4, 64, 466)),
        ("B300:8", Machine("B300", 8, None, None)),
    ],
)
def test_a_readable_name_outside_the_table_keeps_its_meaning(name: str, expected: Machine) -> None:
    assert machine(name) == expected


@pytest.mark.parametrize(
    "name", ["big", "H100:", "H100:0", "0x2", "T5x4x16", "T4x4x16x", "4X16", ""]
)
def test_other_names_are_unknown(name: str) -> None:
    assert machine(name) is None


def test_near_names_are_found_in_any_case() -> None:
    assert "H100:2" in similar("h100-2")
    assert "RTX-PRO-6000" in similar("rtx6000pro")
    assert similar("") == []


def test_every_accelerator_is_one_of_trusss() -> None:
    assert {row.accelerator for row in MACHINES.values()} <= {*ACCELERATORS, None}
