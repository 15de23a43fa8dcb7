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


def tried(id: str, what: str, seen: str, count: int = 1) -> None:
    """Adds to the figures the inputs that passed."""
    TRIED[id] += count
    record(id, what, f"{TRIED[id]:,} of {TRIED[id]:,}: {seen}")


def cases(share: float) -> range:
    """Returns the numbers of the inputs of a test that makes this share of them."""
    return range(FIRST, FIRST + max(1, round(CASES * share)))


def hostile(share: float, shrinks: bool = True) -> settings:
    """Returns the settings of a property that tries this share of the inputs.

    The inputs are the same on every machine; a thorough run makes others each time. If `shrinks` is
    true, hypothesis looks for a smaller input that fails too.
    """
    return settings(
        phases=(Phase.generate, Phase.shrink) if shrinks else (Phase.generate,),
        max_examples=max(1, round(CASES * share)),
        derandomize=not THOROUGH,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example],
    )
