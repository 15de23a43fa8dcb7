"""Baseten's machines by the names that `resources.instance_type` takes.

The table is a copy of https://docs.baseten.co/deployment/resources, "Instance type reference", of
September 2026. Truss does not read the name; Baseten does.
"""

import difflib
import re
from typing import NamedTuple


class Machine(NamedTuple):
    """The GPUs, CPU and memory of one machine."""

    accelerator: str | None
    """Truss's name of the GPUs; None for a machine without GPUs."""
    gpus: int
    """The number of GPUs."""
    cpu: int | None
    """The number of cores; None if neither the name nor the table has it."""
    memory: int | None
    """The memory in Gi; None if neither the name nor the table has it."""


def _machines(accelerator: str | None, *rows: tuple[str, int, int, int]) -> dict[str, Machine]:
    return {name: Machine(accelerator, *numbers) for name, *numbers in rows}


MACHINES: dict[str, Machine] = {
    **_machines(
        None,
        ("1x2", 0, 1, 2),
        ("1x4", 0, 1, 4),
        ("2x8", 0, 2, 8),
        ("4x16", 0, 4, 16),
        ("8x32", 0, 8, 32),
        ("16x64", 0, 16, 64),
    ),
    **_machines(
        "T4",
        ("T4x4x16", 1, 4, 16),
        ("T4x8x32", 1, 8, 32),
        ("T4x16x64", 1, 16, 64),
        ("T4:2x24x96", 2, 24, 96),
        ("T4:4x48x192", 4, 48, 192),
    ),
    **_machines(
        "L4",
        ("L4:4x16", 1, 4, 16),
        ("L4:2x24x96", 2, 24, 96),
        ("L4:4x48x192", 4, 48, 192),
    ),
    # The larger A10G machines have less memory than their names say.
    **_machines(
        "A10G",
        ("A10Gx4x16", 1, 4, 16),
        ("A10Gx8x32", 1, 8, 32),
        ("A10Gx16x64", 1, 16, 64),
        ("A10G:2x24x96", 2, 24, 94),
        ("A10G:4x48x192", 4, 48, 188),
        ("A10G:8x192x768", 8, 192, 750),
    ),
    **_machines(
        "A100",
        ("A100:12x144", 1, 12, 144),
        ("A100:2x24x288", 2, 24, 288),
        ("A100:3x36x432", 3, 36, 432),
        ("A100:4x48x576", 4, 48, 576),
        ("A100:5x60x720", 5, 60, 720),
        ("A100:6x72x864", 6, 72, 864),
        ("A100:7x84x1008", 7, 84, 1008),
        ("A100:8x96x1152", 8, 96, 1152),
    ),
    **_machines(
        "H100",
        ("H100", 1, 16, 118),
        ("H100:2", 2, 32, 236),
        ("H100:4", 4, 64, 472),
        ("H100:8", 8, 128, 944),
    ),
    # A 40 GiB partition of an H100 (MIG).
    **_machines("H100_40GB", ("H100MIG", 1, 8, 59)),
    **_machines(
        "H200",
        ("H200", 1, 16, 200),
        ("H200:2", 2, 32, 400),
        ("H200:4", 4, 64, 800),
        ("H200:8", 8, 128, 1600),
    ),
    **_machines(
        "B200",
        ("B200", 1, 16, 224),
        ("B200:2", 2, 32, 448),
        ("B200:4", 4, 64, 896),
        ("B200:8", 8, 128, 1792),
    ),
    **_machines(
        "RTX_PRO_6000",
        ("RTX-PRO-6000", 1, 16, 116),
        ("RTX-PRO-6000:2", 2, 32, 233),
        ("RTX-PRO-6000:4", 4, 64, 466),
        ("RTX-PRO-6000:8", 8, 128, 931),
    ),
}
"""Every machine of Baseten's table, by its published name."""

ACCELERATORS = (
    *("T4", "L4", "A10G", "V100", "A100", "A100_40GB", "H100", "H200", "H100_40GB"),
    *("B200", "B300", "GB300", "L40S", "RTX_PRO_6000", "B10"),
)
"""Every accelerator of Truss."""

_FAMILIES = {
    **{name: name for name in ACCELERATORS},
    **{name.replace("_", "-"): name for name in ACCELERATORS},
    "H100MIG": "H100_40GB",
}
"""Truss's name of an accelerator, by the start of a machine's name."""
_GPUS = rf"(?P<name>{'|'.join(_FAMILIES)})"
_SIZE = r"(?P<cpu>[1-9][0-9]{0,3})x(?P<memory>[1-9][0-9]{0,4})"
_FORMS = (
    re.compile(rf"{_GPUS}([:x](?P<count>[1-9][0-9]?))?"),
    re.compile(rf"{_GPUS}[:x]((?P<count>[1-9][0-9]?)x)?{_SIZE}"),
    re.compile(_SIZE),
)


def machine(name: str) -> Machine | None:
    """Returns the machine with a name, from the table or from the name; None for other names.

    `:` and `x` after the GPU mean the same. The table lacks `H100:3`: it gets three times the CPU
    and memory of the smallest H100 machine.
    """
    found = next((found for form in _FORMS if (found := form.fullmatch(name))), None)
    if found is None:
        return None
    groups = found.groupdict()
    accelerator = _FAMILIES[groups["name"]] if groups.get("name") else None
    count = int(groups.get("count") or 1) if accelerator else 0
    cpu, memory = groups.get("cpu"), groups.get("memory")
    if listed := MACHINES.get(name) or _listed_machine(accelerator, count, cpu, memory):
        return listed
    if cpu and memory:
        return Machine(accelerator, count, int(cpu), int(memory))
    return _multiple_of_smallest(accelerator, count)


def _listed_machine(
    accelerator: str | None, count: int, cpu: str | None, memory: str | None
) -> Machine | None:
    """Returns the first machine of the table with these GPUs and, if given, this CPU and memory."""
    for title, machine in MACHINES.items():
        size_fits = cpu is None or re.split("[:x]", title)[-2:] == [cpu, memory]
        if (machine.accelerator, machine.gpus) == (accelerator, count) and size_fits:
            return machine
    return None


def _multiple_of_smallest(accelerator: str | None, count: int) -> Machine:
    """Returns a machine with `count` times the CPU and memory of the smallest with this GPU."""
    one = next((row for row in MACHINES.values() if row.accelerator == accelerator), None)
    if one is None or one.cpu is None or one.memory is None:
        return Machine(accelerator, count, None, None)
    return Machine(accelerator, count, one.cpu * count, one.memory * count)


def similar(name: str) -> list[str]:
    """Returns up to three published names that are similar to a name; ignores case."""
    titles = {title.upper(): title for title in MACHINES}
    near = difflib.get_close_matches(name.upper(), titles, n=3, cutoff=0.5)
    return [titles[title] for title in near]
