"""The number of hostile inputs of the tests: 2,000, or `HOSTILE_CASES`."""

import os
from collections import Counter

from hypothesis import HealthCheck, Phase, settings

from support.reliability import record

FIRST = int(os.environ.get("HOSTILE_FIRST", "0"))
CASES = int(os.environ.get("HOSTILE_CASES", "2000"))
"""The number of all cases together; `make fuzz` takes more."""
THOROUGH = CASES >= 10_000
"""True if every combination is tried, and not a part of them."""


TRIED: Counter[str] = Counter()


def tried(what: str, seen: str, count: int = 1) -> None:
    """Count what was tried and went well, for the figures."""
    TRIED[what] += count
    record(what, f"{TRIED[what]:,} of {TRIED[what]:,}: {seen}")


def cases(share: float) -> range:
    """The numbers of a test that makes this share of them."""
    return range(FIRST, FIRST + max(1, round(CASES * share)))


def hostile(share: float, shrinks: bool = True) -> settings:
    """The settings of a property that tries this share of them: the same ones on every machine,
    and in a thorough run others each time. `shrinks`: whether what fails is made small first."""
    return settings(
        phases=(Phase.generate, Phase.shrink) if shrinks else (Phase.generate,),
        max_examples=max(1, round(CASES * share)),
        derandomize=not THOROUGH,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example],
    )
