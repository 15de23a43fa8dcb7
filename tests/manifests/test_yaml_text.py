"""YAML that more than one reader reads."""

import re
from collections.abc import Callable

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from trussform.manifests.yaml_text import to_same_yaml, to_yaml

FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
WHOLE = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|[0-9]+)")


def is_another(text: str) -> bool:
    """Returns true if Kubernetes' reader takes a text without quotes for a number or a boolean."""
    plain = text.replace("_", "")
    number = FLOAT.fullmatch(plain) or WHOLE.fullmatch(plain)
    return text in ("y", "Y", "n", "N") or number is not None


@pytest.mark.parametrize("write", [to_yaml, to_same_yaml])
@pytest.mark.parametrize(
    "text", ["1e3", "08", "0o17", "0B1", "12E03", "1_0e3", "_1", "-_9", "y", "N", "+.5e1"]
)
def test_a_number_to_kubernetes_is_quoted(text: str, write: Callable[[object], str]) -> None:
    assert is_another(text)
    assert write({"a": text}) == f"a: '{text}'\n"


@given(st.text("0189abefxXoOByYnN_.+-", max_size=6))
def test_whatever_is_a_number_to_kubernetes_is_quoted(text: str) -> None:
    if is_another(text):
        assert to_yaml([text])[2] in "'\""
        assert to_same_yaml([text])[2] in "'\""


@pytest.mark.parametrize("text", ["vllm/vllm-openai:v0.11.0", "10Gi", "500m", "/predict", "name"])
def test_a_plain_text_stays_without_quotes(text: str) -> None:
    assert to_yaml({"a": text}) == f"a: {text}\n"


def test_lines_stay_lines() -> None:
    assert to_yaml({"a": "one\n  two\n"}) == "a: |\n  one\n    two\n"


texts = st.text(st.characters(codec="utf-8")) | st.text(" \n\t\r\x85\u2028\ufeff#:-'\"|>a")


@given(st.recursive(texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner)))
@example("a\x85b")
@example("a\n\x85b")
@example("\u2028 a")
def test_what_is_written_is_read_back(data: object) -> None:
    for loader in (yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        for write in (to_yaml, to_same_yaml):
            assert yaml.load(write(data), Loader=loader) == data
