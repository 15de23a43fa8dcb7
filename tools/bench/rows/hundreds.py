"""Rows 1 and 2 at length, for hours: stacks of 100 and of 300 servers, against other tools."""

from collections.abc import Iterator

from bench.contenders import Terraform
from bench.figures import Figure
from bench.rows import stacks
from bench.rows.stacks import FLAT, Size

SIZES = (
    Size(100, fewer={Terraform.name: 1}),
    Size(300, rounds=1, fewer={FLAT: 0, Terraform.name: 0}, checkpoints=False),
)
"""Terraform takes ten minutes for a round of 100 servers, and checkpoints grow with the square."""

missing = stacks.missing


def measure() -> Iterator[Figure]:
    return stacks.measure_sizes(SIZES)
