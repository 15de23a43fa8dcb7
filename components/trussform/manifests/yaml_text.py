"""Data as YAML that all its readers read back the same, Python's as well as Kubernetes'.

They part ways over texts without quotes: `1e3` and `0o17` are numbers to one and texts to the
other, `y` is true to one of them, and a NEL ends a line for one.
"""

import re
from typing import Any

import yaml

_OTHER = re.compile(r"[-+]?[._0-9][-+._0-9a-fA-FxXoO]*|[yYnN]")
"""Text that some reader takes for a number, or for true or false."""


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block, and every value in full."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = None
    if not text.replace("\n", "").isprintable():
        style = '"'
    elif "\n" in text:
        style = "|"
    elif _OTHER.fullmatch(text):
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)  # pyright: ignore[reportUnknownMemberType]


_Dumper.add_representer(str, _text)


def to_yaml(data: Any, width: int = 100) -> str:
    """Returns the data as one YAML document; lines longer than `width` are folded if possible."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=width)
