import os
import socket
from pathlib import Path

import pytest
from trussform.problem import Location, ProblemError
from trussform.source import Source
from trussform.yaml_reader import (
    MAX_BYTES,
    MAX_DIGITS,
    MAX_DIRECTIVES,
    MAX_LENGTH,
    MAX_VALUES,
    parse,
    read,
)


def refusal(text: str) -> str:
    with pytest.raises(ProblemError) as caught:
        parse(text, "f.yaml")
    return str(caught.value)


def test_every_value_and_key_has_its_place() -> None:
    source = parse("a:\n  b: 1\n  c: [x, y]\n", "f.yaml")
    assert source.data == {"a": {"b": 1, "c": ["x", "y"]}}
    assert source.location(("a", "b")) == Location("f.yaml", 2, 6)
    assert source.location(("a", "c", 1)) == Location("f.yaml", 3, 10)
    assert source.key_location(("a", "c")) == Location("f.yaml", 3, 3)


def test_a_missing_value_is_placed_at_the_field_above_it() -> None:
    source = parse("first: 1\ndocker_server:\n  port: 1\n", "f.yaml")
    assert source.location(("docker_server", "start_command")) == Location("f.yaml", 2, 1)


def test_all_duplicate_keys_are_named_with_both_lines() -> None:
    text = "\n".join(map(str, parse("a: 1\nb: {c: 1, c: 2}\na: 3\n", "f.yaml").problems))
    assert "f.yaml:2:11: b.c: duplicate key, first used at line 2" in text
    assert "f.yaml:3:1: a: duplicate key, first used at line 1" in text


def test_merge_keys_fill_in_and_do_not_count_as_duplicates() -> None:
    text = "base: &base {x: 1, y: 1}\na:\n  <<: *base\n  y: 2\n"
    assert parse(text, "f.yaml").data["a"] == {"x": 1, "y": 2}


def test_the_first_of_several_merged_mappings_wins() -> None:
    text = "p: &p {x: 1}\nq: &q {x: 2, y: 2}\na: {<<: [*p, *q]}\n"
    assert parse(text, "f.yaml").data["a"] == {"x": 1, "y": 2}


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    assert "aliases of this file expand" in refusal("\n".join(lines))


def test_a_bomb_of_merges_is_refused() -> None:
    lines = ["a0: &a0 {}"]
    lines += [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 20)}]}}" for i in range(1, 12)]
    assert "aliases of this file expand" in refusal("\n".join(lines))


def test_keys_and_merges_that_nest_in_turn_are_refused() -> None:
    assert "aliases of this file expand" in refusal(
        "a: &a {b: " + "{<<: " * 50 + "*a" + "}" * 50 + "}\n"
    )


def test_a_long_text_cannot_be_repeated_by_aliases() -> None:
    text = f"a: &a {'x' * (MAX_LENGTH // 2)}\nb: [{', '.join(['*a'] * 11)}]\n"
    assert "aliases of this file expand" in refusal(text)


@pytest.mark.parametrize("text", ["a: &a [*a]\n", "a: &a {b: *a}\n", "a: &a\n  <<: *a\n"])
def test_an_alias_to_itself_is_refused(text: str) -> None:
    assert "aliases of this file expand" in refusal(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 5000, "more than 60 levels"),
        ("a: [1\nb: 2\n", "not valid YAML"),
        ("a: !!python/object/apply:os.system [id]\n", "not valid YAML"),
        ("1: one\n", "is read as int, not as text"),
        ("[a]: b\n", "the key is not text"),
        ("<<: 3\n", "can merge only mappings"),
        ("a: 1\n---\nb: 2\n", "not valid YAML"),
        ("a: 2026-99-99\n", "cannot be read as timestamp"),
        ("a: !!int ''\n", "cannot be read as int"),
        ("a: !!bool foo\n", "cannot be read as bool"),
        ("a: !!set {x}\n", "the tag"),
        ("a: \x01\n", "not valid YAML"),
        ('a: "\\0"\n', "the character NUL"),
        ('"\\0": a\n', "the character NUL"),
        ("a: 1" + ":59" * MAX_DIGITS, "cannot be read as int"),
        ("[" + "a, " * MAX_VALUES + "]", "has more than 20,000 values"),
        ("a: " + "x" * (MAX_LENGTH + 1), "a value has more than 200,000 characters"),
        ("? " + "x" * (MAX_LENGTH + 1) + "\n: a", "a value has more than 200,000 characters"),
        ("".join(f"%TAG !{i}! x\n" for i in range(MAX_DIRECTIVES + 2)), "too many directives"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_at_its_line(text: str, message: str) -> None:
    assert message in refusal(text)
    assert refusal(text).startswith("f.yaml:1:") or refusal(text).startswith("f.yaml:2:")


def test_a_large_file_is_refused_by_its_size(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("a: " + "x" * MAX_BYTES)
    with pytest.raises(ProblemError, match=r"config.yaml:1:1: the file has 1,048,579 bytes"):
        read(file)


@pytest.mark.parametrize("kind", ["fifo", "folder", "device", "loop", "dangling", "socket"])
def test_what_is_no_file_is_refused_and_not_waited_for(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # A socket's path has to be short.
    file = Path("config.yaml")
    match kind:
        case "fifo":
            os.mkfifo(file)
        case "folder":
            file.mkdir()
        case "device":
            file.symlink_to("/dev/zero")
        case "loop":
            file.symlink_to(file)
        case "dangling":
            file.symlink_to("nothing")
        case _:
            made = socket.socket(socket.AF_UNIX)
            made.bind(str(file))
            made.close()
    with pytest.raises(ProblemError, match="no such file"):
        read(file)


def test_a_file_that_hides_its_size_is_refused_by_what_it_holds(tmp_path: Path) -> None:
    hidden = Path("/proc/kallsyms")
    if not hidden.is_file():
        pytest.skip("this machine has no /proc/kallsyms")
    (tmp_path / "config.yaml").symlink_to(hidden)
    with pytest.raises(ProblemError, match="the limit is 1,048,576"):
        read(tmp_path / "config.yaml")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a: \xe9\n"])
def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(content)
    with pytest.raises(ProblemError, match=r"config.yaml:1:1: the file is not UTF-8"):
        read(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProblemError, match="no such file"):
        read(tmp_path / "config.yaml")


# The examples of RFC 7396, appendix A, that have an object on both sides.
@pytest.mark.parametrize(
    ("original", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_patch_merges_as_rfc_7396_says(original: object, patch: object, result: object) -> None:
    whole = Location("f.yaml", 1, 1)
    assert Source(original, whole).patched(Source(patch, whole)).data == result


def test_patched_values_keep_the_place_of_the_file_they_come_from() -> None:
    config = parse("a:\n  b: 1\n  c: 2\n", "config.yaml")
    patch = parse("\n\na: {b: 3}\n", "stack.yaml")
    both = config.patched(patch)
    assert both.data == {"a": {"b": 3, "c": 2}}
    assert both.location(("a", "b")) == Location("stack.yaml", 3, 8)
    assert both.location(("a", "c")) == Location("config.yaml", 3, 6)
