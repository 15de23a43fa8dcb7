"""Data as YAML that all its readers read back the same, Python's as well as Kubernetes'.

They part ways over texts without quotes: `1e3` and `0o17` are numbers to one and texts to the
other, `y` is true to one of them, and a NEL ends a line for one.
"""

import re
from typing import TYPE_CHECKING, Any

import yaml

_OTHER = re.compile(r"[-+]?[._0-9][-+._0-9a-fA-FxXoO]*|[yYnN]")
"""Text that some reader takes for a number, or for true or false."""


class _Full:
    """Writes every value in full."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


class _Same(_Full, yaml.SafeDumper):
    """Writes the same text on every machine, by Python's emitter."""


if TYPE_CHECKING:
    _Emitter = yaml.SafeDumper
else:
    _Emitter = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Fast(_Full, _Emitter):
    """Writes by libyaml's emitter, where PyYAML has it: some eight times as fast."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    """Writes text of several lines as a block, and quotes what a reader could misread."""
    style = None
    if not text.replace("\n", "").isprintable():
        style = '"'
    elif "\n" in text:
        style = "|"
    elif _OTHER.fullmatch(text):
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)  # pyright: ignore[reportUnknownMemberType]


_Same.add_representer(str, _text)
_Fast.add_representer(str, _text)


def to_yaml(data: Any) -> str:
    """Returns the data as one YAML document for a file; long lines are folded if possible."""
    return _dump(data, _Fast, width=100)


def to_same_yaml(data: Any) -> str:
    """Returns the data as one YAML document without folded lines, alike on every machine.

    It is for a pod template, where another text would restart the pods.
    """
    return _dump(data, _Same, width=1 << 20)


def _dump(data: Any, dumper: Any, width: int) -> str:
    return yaml.dump(data, Dumper=dumper, sort_keys=False, allow_unicode=True, width=width)
