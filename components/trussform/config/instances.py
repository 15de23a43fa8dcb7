"""Baseten's machines by name, as `resources.instance_type` names them.

Truss passes the name on unread; Baseten reads it. The table is that of
https://docs.baseten.co/deployment/resources, "Instance type reference", as of September 2026.
"""

import difflib
import re
from typing import NamedTuple


class Machine(NamedTuple):
    accelerator: str | None
    """Truss's name of its GPUs; None: it has none."""
    gpus: int
    """GPUs of the machine."""
    cpu: int | None
    """Cores. None: neither the name nor the table gives them."""
    memory: int | None
    """Gi of memory; None as for `cpu`."""


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
    # The names of the larger A10G machines say more memory than the machines have.
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
    # A part of an H100 with 40 GiB, which Truss calls by its memory.
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
"""Every machine of Baseten's table by its published name."""

ACCELERATORS = (
    "T4", "L4", "A10G", "V100", "A100", "A100_40GB", "H100", "H200", "H100_40GB",
    "B200", "B300", "GB300", "L40S", "RTX_PRO_6000", "B10",
)  # fmt: skip
"""Every accelerator that Truss names."""

_FAMILIES = {
    **{name: name for name in ACCELERATORS},
    **{name.replace("_", "-"): name for name in ACCELERATORS},
    "H100MIG": "H100_40GB",
}
"""Truss's name of an accelerator, by the names that a machine's begins with."""
_GPUS = rf"(?P<name>{'|'.join(_FAMILIES)})"
_SIZE = r"(?P<cpu>[1-9][0-9]{0,3})x(?P<memory>[1-9][0-9]{0,4})"
_FORMS = (
    re.compile(rf"{_GPUS}([:x](?P<count>[1-9][0-9]?))?"),
    re.compile(rf"{_GPUS}[:x]((?P<count>[1-9][0-9]?)x)?{_SIZE}"),
    re.compile(_SIZE),
)


def machine(name: str) -> Machine | None:
    """Returns the machine of a name: from the table, or from the name; None if it is neither.

    `:` and `x` after the GPU mean the same. `H100:3`, which the table lacks, has three times what
    the smallest H100 machine has for one GPU.
    """
    found = next((found for form in _FORMS if (found := form.fullmatch(name))), None)
    if found is None:
        return None
    said = found.groupdict()
    accelerator = _FAMILIES[said["name"]] if said.get("name") else None
    count = int(said.get("count") or 1) if accelerator else 0
    cpu, memory = said.get("cpu"), said.get("memory")
    listed = MACHINES.get(name) or next(
        (
            row
            for title, row in MACHINES.items()
            if (row.accelerator, row.gpus) == (accelerator, count)
            and (cpu is None or re.split("[:x]", title)[-2:] == [cpu, memory])
        ),
        None,
    )
    if listed:
        return listed
    if cpu and memory:
        return Machine(accelerator, count, int(cpu), int(memory))
    one = next((row for row in MACHINES.values() if row.accelerator == accelerator), None)
    if one is None or one.cpu is None or one.memory is None:
        return Machine(accelerator, count, None, None)
    return Machine(accelerator, count, one.cpu * count, one.memory * count)


def similar(name: str) -> list[str]:
    """Returns the published names that are most like a name, in any case of letters."""
    titles = {title.upper(): title for title in MACHINES}
    near = difflib.get_close_matches(name.upper(), titles, n=3, cutoff=0.5)
    return [titles[title] for title in near]
