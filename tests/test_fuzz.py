"""Real files, broken at random: whatever stands in a file, the answer is problems at its lines.

Each file has a number that makes it, the same on every machine with the same seeds:
`FUZZ_FIRST=4711 FUZZ_FILES=1` makes one again.
"""

import os
import shutil
import signal
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest
import yaml
from support.workspace import CORPUS, ROOT, plans_of
from trussform import planning, stack_file
from trussform.cli import explain, render
from trussform.plan import Plan
from trussform.problem import Problem, ProblemError, errors
from trussform.source import is_mapping

FIRST = int(os.environ.get("FUZZ_FIRST", "0"))
FILES = int(os.environ.get("FUZZ_FILES", "1000"))
"""The number of files, one stack file to four configs; `make fuzz` takes more."""
HANG = 20
"""Seconds after which a file counts as one that is never done."""

CONFIGS = [*sorted(ROOT.glob("examples/servers/*/config.yaml")), *CORPUS]
STACKS = sorted(ROOT.glob("stacks/Pulumi.*.yaml"))

SECRET = "Tr0ub4dor"
"""Stands in every secret below, and in no complaint."""
SECRETS = [
    f"hf_{SECRET}x{SECRET}x{SECRET}", f"sk-{SECRET}{SECRET}{SECRET}", f"{SECRET * 4}",
    f"https://user:{SECRET}@example.com/a", f'"-----BEGIN PRIVATE KEY-----\\n{SECRET}"',
]  # fmt: skip

VALUES = [
    "", "null", "true", "no", "0", "-1", "1.5", "08", "0o17", "0x1F", "1_000", "1:30:00", "1e400",
    "-.inf", ".nan", "2026-02-30", "2026-01-01", "2026-01-01T00:00:00Z", "9" * 5000,
    "0x" + "f" * 5000, "1" + ":59" * 5000, "text", '""', '" "', '"\\0"', '"\\x1b[31m"', '"\\n"',
    '"\\u2028"', '"\\uD800"', '"\\U0010FFFF"', "é", "'", '"', "|", ">-", "|2", "[]", "{}", "[", "{",
    "[a, b", "[null]", "[{}]", "[[[]]]", "{a: b}", "{a: {b: [c]}}", "{? [a] : b}", "{kind: grpc}",
    "{kind: [x]}", "{kind: ingress, controller: nginx}", "{enabled: true}", "{secure: v1:AAAA}",
    "{existing: x}", "{'': x}", "{[key]: x}", "{'[key]': x}", "{__class__: x}", "{1: x}",
    "{name: {}}", "{config: {docker_server: null}}", "&a [*a]", "&a x", "*a", "{<<: *a}",
    "{<<: {a: b}}", "{<<: [1]}", "<<", "=", "!!binary aGVsbG8=", "!!binary x", "!!int x", "!!set x",
    "!!set {x}", "!!omap [a: 1]", "!!seq x", "!!map [x]", "!!str {}", "!!timestamp x", "!x y",
    "!!python/object/apply:os.system [id]", "[" * 100 + "]" * 100, "[" * 3000, "{a: " * 70,
    "x" * 20_000, "a-" * 10_000, "a/" * 10_000, "a." * 10_000, "(" * 5000, '"' + "\\" * 5000 + '"',
    "L4:" + "9" * 5000, "H100:0", "/", "..", "../x", "/a/../b", "x\u00a0y", "%(x)s", "sh -c 'x",
    "$(x)", "a b; c", "https://x@y", "python:3.11@sha256:00",
    "examples/servers/minilm-embeddings", ".",
]  # fmt: skip
"""Texts that replace a value, as YAML writes them."""

KEYS = [
    "''", "__class__", "model_config", "'[key]'", "[key]", "{}", "? x\n", "a.b", "0", "true", "~",
    "<<", "=", "*a", "&a x", "!!int x", '"\\n"', '"\\x1b[2J"', '"\\u202e"', "é", "x" * 5000,
    "trussform:stage", "trussform:secrets", "config", "servers", "docker_server", "secure", "kind",
    "runtime", "resources", "hf_cache", "model_cache", "weights", "build", "requirements_file",
]  # fmt: skip

LINES = [
    "---", "...", "--- x", "%YAML 3.0", "%TAG ! x", "# comment", "\t", " ", "- x", "x", "? x",
    ": x",
    "? [a, b]\n: c", "<<: *a", "<<: {a: b}", "<<: 1", "a: &a {b: c}", "a: *a", "config: {}",
    "requirements: &r [*r]", "'': x", "secrets: {x: 1}", "environment_variables: {A: 0xFFFF}",
]  # fmt: skip

PIECES = [
    *(bytes([code]) for code in range(0x21)), b"\x7f", b"\x80", b"\xff\xfe", b"\xed\xa0\x80",
    b"\xc0\x80", b"\xf4\x90\x80\x80", "\x85".encode(), "\u2028".encode(), "\ufeff".encode(),
    "\ufffe".encode(), "\U0001f600".encode(), b": ", b"- ", b"#", b"&a ", b"*a", b"!!", b"!",
    b"|", b">", b"'", b'"',
    b"\\", b"[", b"]", b"{", b"}", b",", b"%", b"@", b"`", b"? ", b"<<: ", b"\r\n", b"\n\n",
    b"$(",
    b"x" * 5000, b" " * 5000, b"\n" * 5000,
]  # fmt: skip
"""Bytes that are inserted between any two bytes."""

_HOLE = "fuzz-hole"


def places(part: Any) -> Iterator[tuple[Any, Any]]:
    """Each container in the data with each of its keys."""
    if is_mapping(part):
        children: list[tuple[Any, Any]] = list(part.items())
    else:
        children = list(enumerate(cast(list[Any], part))) if isinstance(part, list) else []
    for key, child in children:
        yield cast(Any, part), key
        yield from places(child)


def another_value(chance: Random, data: Any) -> str:
    part, key = chance.choice(list(places(data)))
    part[key] = _HOLE
    return chance.choice(SECRETS if chance.random() < 0.2 else VALUES)


def another_key(chance: Random, data: Any) -> str:
    part, key = chance.choice([at for at in places(data) if is_mapping(at[0])])
    part[_HOLE] = part.pop(key)
    return chance.choice(KEYS)


def one_more_key(chance: Random, data: Any) -> str:
    part, _ = chance.choice([at for at in places(data) if is_mapping(at[0])])
    added: list[Any] = [None, "x", {}, [1]]
    part[_HOLE] = chance.choice(added)
    return chance.choice(KEYS)


def changed(chance: Random, text: bytes) -> bytes:
    """The file with another value or key at some place in it."""
    data = yaml.safe_load(text)
    change = chance.choice([another_value, another_value, another_key, one_more_key])
    hole = change(chance, data)
    whole = yaml.safe_dump(data, default_flow_style=chance.random() < 0.1, sort_keys=False)
    return whole.replace(_HOLE, hole).encode()


def flipped(chance: Random, text: bytes) -> bytes:
    data = bytearray(text)
    for _ in range(chance.randint(1, 4)):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def inserted(chance: Random, text: bytes) -> bytes:
    at = chance.randint(0, len(text))
    return text[:at] + chance.choice(PIECES) + text[at:]


def cut(chance: Random, text: bytes) -> bytes:
    return text[: chance.randrange(len(text))]


def without_a_part(chance: Random, text: bytes) -> bytes:
    at = chance.randrange(len(text))
    return text[:at] + text[at + chance.randint(1, 40) :]


def encoded(chance: Random, text: bytes) -> bytes:
    """Saved as editors of other systems do."""
    how = chance.choice(["utf-16", "utf-8-sig", "latin-1", "crlf", "cr", "tabs"])
    if how == "crlf":
        return text.replace(b"\n", b"\r\n")
    if how == "cr":
        return text.replace(b"\n", b"\r")
    if how == "tabs":
        return text.replace(b"  ", b"\t")
    return text.decode(errors="replace").encode(how, errors="replace")


def relined(chance: Random, text: bytes) -> bytes:
    """A line less, a line twice, two lines in each other's place, or a line more or less deep."""
    lines = text.split(b"\n")
    i, j = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(6):
        case 0:
            del lines[i]
        case 1:
            lines.insert(j, lines[i])
        case 2:
            lines[i], lines[j] = lines[j], lines[i]
        case 3:
            lines[i] = chance.choice([b" ", b"  ", b"\t", b"- "]) + lines[i]
        case 4:
            lines[i] = lines[i].removeprefix(chance.choice([b" ", b"  "]))
        case _:
            lines.insert(i, chance.choice(LINES).encode())
    return b"\n".join(lines)


def revalued(chance: Random, text: bytes) -> bytes:
    """Another value in one line, whatever the lines below it say."""
    lines = text.split(b"\n")
    i = chance.randrange(len(lines))
    key, colon, _ = lines[i].partition(b":")
    lines[i] = key + colon + b" " + chance.choice(VALUES).encode()
    return b"\n".join(lines)


CHANGES: list[Callable[[Random, bytes], bytes]] = [
    flipped, inserted, inserted, cut, without_a_part, encoded, relined, relined, revalued,
]  # fmt: skip


def broken(seeds: list[Path], number: int) -> bytes:
    """The file of that number: a real one with one to four changes."""
    chance = Random(number)
    text = chance.choice(seeds).read_bytes()
    if chance.random() < 0.6:
        text = changed(chance, text)
        if chance.random() < 0.6:
            return text
    for _ in range(chance.randint(1, 3)):
        text = chance.choice(CHANGES)(chance, text) or b"\n"
    return text


Check = Callable[[Path], tuple[dict[str, Plan], Iterable[Problem]]]


def check_config(file: Path) -> tuple[dict[str, Plan], Iterable[Problem]]:
    return plans_of(planning.without_stage(file), [file])


def check_stack(file: Path) -> tuple[dict[str, Plan], Iterable[Problem]]:
    return plans_of(stack_file.read_stack(file))


def problems_of(check: Check, file: Path) -> list[Problem]:
    """All that is said of a file; where nothing is wrong, its objects are rendered too."""
    try:
        plans, problems = check(file)
    except ProblemError as error:
        return list(error.problems)
    if not errors(problems):
        list(yaml.load_all(render.stream(plans), Loader=yaml.CSafeLoader))
        for plan in plans.values():
            explain.rows(plan)
    return list(problems)


def misfits(problem: Problem) -> Iterator[str]:
    """Yields the faults of a problem, which no file may cause."""
    text = str(problem)
    if problem.location.line < 1 or problem.location.column < 1:
        yield f"no line: {text}"
    if not text.isprintable():
        yield f"not a line of plain text: {text!r}"
    if SECRET in text:
        yield f"shows a secret: {text}"


@contextmanager
def ended_in_time() -> Generator[None]:
    def end(*_: object) -> None:
        raise TimeoutError(f"not done after {HANG} s")

    if not hasattr(signal, "alarm"):  # Windows has none; a file that hangs hangs the test there.
        yield
        return
    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(HANG)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def failure(check: Check, file: Path) -> str | None:
    """Returns the fault of a file in a few words."""
    try:
        with ended_in_time():
            problems = problems_of(check, file)
    except Exception as error:  # Each of them is what this test looks for.
        at = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({Path(at.filename).name}:{at.lineno})"
    return next((misfit for problem in problems for misfit in misfits(problem)), None)


def failures(check: Check, file: Path, seeds: list[Path], numbers: range) -> dict[int, str]:
    """Returns faults by the number of the file, ten at most."""
    found: dict[int, str] = {}
    for number in numbers:
        file.write_bytes(broken(seeds, number))
        what = failure(check, file)
        if what is not None:
            found[number] = what
        if len(found) == 10:
            break
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with the examples in it, so that what a stack file names is there."""
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    return tmp_path


def test_a_broken_config_gives_problems_at_its_lines(folder: Path) -> None:
    file = folder / "config.yaml"
    numbers = range(FIRST, FIRST + FILES)
    assert failures(check_config, file, CONFIGS, numbers) == {}


def test_a_broken_stack_file_gives_problems_at_its_lines(folder: Path) -> None:
    file = folder / "stacks" / "Pulumi.dev.yaml"
    file.parent.mkdir()
    numbers = range(FIRST, FIRST + -(-FILES // 4))
    assert failures(check_stack, file, STACKS, numbers) == {}
