"""Kubernetes quantities: amounts of CPU, memory and storage as text."""

import re
from decimal import Decimal

_MAX_LENGTH = 64
_NUMBER = r"(?P<number>[0-9]+\.?[0-9]*|\.[0-9]+)"
_EXPONENT = r"[eE][+-]?[0-9]{1,2}"
_CPU = re.compile(rf"{_NUMBER}(?P<suffix>m|{_EXPONENT})?")
_MEMORY = re.compile(rf"{_NUMBER}(?P<suffix>{_EXPONENT}|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?")
_FACTORS = {
    "m": Decimal("0.001"),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", 1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", 1)},
}


def is_cpu(text: str) -> bool:
    """Returns true if the text is an amount of CPU: `4`, `500m`."""
    return len(text) <= _MAX_LENGTH and _CPU.fullmatch(text) is not None


def is_memory(text: str) -> bool:
    """Returns true if the text is an amount of memory or storage: `10Gi`."""
    return len(text) <= _MAX_LENGTH and _MEMORY.fullmatch(text) is not None


def amount(text: str) -> Decimal:
    """Returns a quantity in cores, bytes or pieces; raises `ValueError` for other text.

    The suffixes are Kubernetes' own (apimachinery, pkg/api/resource/quantity.go).
    """
    found = _CPU.fullmatch(text) or _MEMORY.fullmatch(text)
    if found is None:
        raise ValueError(f"`{text}` is not a quantity")
    number, suffix = Decimal(found["number"]), found["suffix"] or ""
    if suffix[:1] in ("e", "E") and suffix not in _FACTORS:
        return number.scaleb(int(suffix[1:]))
    return number * _FACTORS.get(suffix, Decimal(1))
