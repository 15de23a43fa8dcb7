"""YAML that is quick to write and would be long to read: it takes a second and 50 MB at most.

Every check runs in a process with no more than that; `bounded.py` says how it is held. Each of the
random ones has a number that makes it: `HOSTILE_FIRST=4711 HOSTILE_CASES=1` makes one again.
"""

import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from support.hostile import THOROUGH, cases
from support.reliability import record
from support.workspace import CONFIG, ROOT, STAGE, Workspace
from trussform.yaml_reader import MAX_BYTES, MAX_LENGTH, MAX_VALUES

if sys.platform == "win32":
    pytest.skip("Windows bounds no process", allow_module_level=True)

PROGRAM = ROOT / "tests/support/bounded.py"
TEXT = MAX_LENGTH - 10_000
"""Characters of a text that is just not too long."""
MANY = MAX_VALUES - 200
"""Values that are just not too many."""


class Bounded:
    """The program that checks, and a project for its files."""

    def __init__(self, folder: Path) -> None:
        self.workspace = Workspace(folder)
        self.workspace.write_config()
        self.workspace.write_stack()
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), self.workspace.config],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.seconds: list[float] = []
        """The processor time of each check."""

    def ask(self, **wanted: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{json.dumps(wanted)}\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        self.seconds.append(answer.get("seconds", 0.0))
        return answer

    def config(self, text: str) -> dict[str, Any]:
        self.workspace.config.write_text(text)
        return self.ask(config=str(self.workspace.config))

    def stack(self, text: str, config: str, lock: str = "digests: {}\n") -> dict[str, Any]:
        self.workspace.config.write_text(config)
        self.workspace.stack.write_text(text)
        self.workspace.stack.with_name("dev.lock.yaml").write_text(lock)
        return self.ask(stack=str(self.workspace.stack))


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bounded]:
    made = Bounded(tmp_path_factory.mktemp("bombs"))
    yield made
    assert made.process.stdin is not None
    made.process.stdin.close()
    assert made.process.wait() == 0
    record(
        "yaml-bombs",
        "YAML files made to take long: aliases, merges, depth, size",
        f"{len(made.seconds):,} of {len(made.seconds):,}: checked within 50 MB, the slowest in "
        f"{max(made.seconds, default=0):.1f} s of the processor",
    )


def config_with(fields: str, **server: str) -> str:
    """The small config with more fields, as YAML text."""
    lines = {**CONFIG["docker_server"], **server}
    parts = [f"  {name}: {value}\n" for name, value in lines.items()]
    return f"base_image: {{image: python:3.11-slim}}\ndocker_server:\n{''.join(parts)}{fields}"


def stack_with(fields: str, secrets: str = "{}") -> str:
    """The small stage with more fields, as YAML text."""
    stage = yaml.safe_dump({"tags": "locked", **STAGE}).replace("\n", "\n    ")
    head = f"config:\n  trussform:secrets: {secrets}\n  trussform:stage:\n    "
    return f"{head}{stage.rstrip()}\n    {fields}\n"


def doubled(depth: int, width: int, shape: str) -> str:
    """Anchors, each of which is made of the one before it, `width` times."""
    lines = ["a0: &a0 {x: y}"]
    for i in range(1, depth):
        before = ", ".join([f"*a{i - 1}"] * width)
        keys = ", ".join(f"k{j}: *a{i - 1}" for j in range(width))
        body = {"list": f"[{before}]", "keys": f"{{{keys}}}", "merges": f"{{<<: [{before}]}}"}
        lines.append(f"a{i}: &a{i} {body[shape]}")
    return "\n".join(lines) + "\n"


FILES: dict[str, str] = {
    "a billion laughs": doubled(10, 9, "list"),
    "a billion laughs in mappings": doubled(10, 9, "keys"),
    "merges of merges": doubled(12, 20, "merges"),
    "a chain of merges": doubled(50, 1, "merges"),
    "an anchor in itself": "a: &a [*a, *a]\n",
    "a merge of itself": "a: &a {<<: [*a, *a], b: *a}\n",
    "keys and merges in turn": "a: &a {b: " + "{<<: " * 50 + "*a" + "}" * 50 + "}\n",
    "a long text by aliases": f"a: &a {'x' * TEXT}\nb: [{'*a, ' * 9000}]\n",
    "long texts": "".join(f"a{i}: {'x' * TEXT}\n" for i in range(5)),
    "10 MB": "a: " + "x" * (10 << 20),
    "10 MB of keys": "".join(f"k{i}: 1\n" for i in range(900_000)),
    "1 MiB of keys": "".join(f"k{i}: 1\n" for i in range(90_000)),
    "1 MiB of items": f"[{'a,' * (MAX_BYTES // 2 - 10)}]",
    "1 MiB of empty lists": f"[{'[],' * (MAX_BYTES // 3 - 10)}]",
    "1 MiB of anchors": "".join(f"- &a{i} x\n" for i in range(90_000)),
    "1 MiB of documents": "---\n" * (MAX_BYTES // 4),
    "1 MiB of one text": "a: " + "x" * (MAX_BYTES - 10),
    "1 MiB of one key": "? " + "x" * (MAX_BYTES - 10) + "\n: 1\n",
    "1 MiB of one number": "a: " + "9" * (MAX_BYTES - 10),
    "1 MiB of hours": "a: 1" + ":59" * (MAX_BYTES // 3 - 10),
    "hours": "a: 1" + ":59" * (TEXT // 3),
    "hexadecimal": "a: 0x" + "f" * TEXT,
    "a fraction": "a: " + "9" * TEXT + ".9",
    "directives": "".join(f"%TAG !a{i}! tag:x\n" for i in range(50_000)) + "--- a\n",
    "many keys": "".join(f"resources{i}: 1\n" for i in range(MANY // 2)),
    "one key many times": "a: 1\n" * (MANY // 2),
    "many anchors": "".join(f"- &a{i} x\n" for i in range(MANY)),
    "many empty lines": "\n" * (MAX_BYTES - 10),
    "deep lists": "[" * (MAX_BYTES - 10),
    "deep mappings": "{a: " * (MAX_BYTES // 4 - 10),
    "deep lines": "".join(" " * i + "a:\n" for i in range(1400)),
    "deep items": "- " * (MAX_BYTES // 2 - 10),
    "deep keys": "? " * (MAX_BYTES // 2 - 10),
}  # fmt: skip
"""Files that are nothing but a bomb."""


def repeated(item: str, count: int = MANY) -> str:
    return f"[{f'{item}, ' * count}]"


def numbered(item: str, count: int) -> str:
    return "".join(item.replace("#", str(i)) for i in range(count))


FIELDS: dict[str, str] = {
    "packages that are none": f"system_packages: {repeated('-a')}",
    "requirements": f"requirements: {repeated('a')}",
    "folders that are none": f"external_package_dirs: {repeated('a')}",
    "secrets": f"secrets: {{{numbered('s#: null, ', MANY // 2)}}}",
    "secrets with values": f"secrets: {{{numbered('s#: value, ', MANY // 2)}}}",
    "variables that are none": f"environment_variables: {{{numbered('9#: x, ', MANY // 2)}}}",
    "addresses": f"runtime: {{egress_restrictions: {{ip_allow_list: {repeated('1.2.3.4')}}}}}",
    "names": f"runtime: {{egress_restrictions: {{fqdn_allow_list: {repeated('a.b')}}}}}",
    "tags": f"model_metadata: {{tags: {repeated('a')}}}",
    "downloads": f"external_data: {repeated('{url: a, local_data_path: ../x}', 3500)}",
    "weights": "weights: ["
    + numbered("{source: s3://b/#, mount_location: /m/#}, ", 3000) + "]",
    "weights within weights": "weights: ["
    + "".join(f"{{source: s3://b/c, mount_location: {'/m' * i}}}, " for i in range(1, 350)) + "]",
    "a deep mount": f"weights: [{{source: s3://b/c, mount_location: {'/m' * (TEXT // 2)}}}]",
    "caches": "model_cache: [" + numbered("{repo_id: a/b#, use_volume: false}, ", 3500) + "]",
    "a wide and deep value":
    "model_metadata: " + "{a: " * 50 + repeated("1", MANY - 200) + "}" * 50,
    "digits of memory": f"resources: {{memory: '{'1' * TEXT}x'}}",
    "digits of CPU": f"resources: {{cpu: '{'1' * TEXT}x'}}",
    "digits of a version": f"runtime: {{truss_server_version_override: '{'1.' * (TEXT // 2)}-'}}",
    "a folder's name": f"data_dir: '{'../' * (TEXT // 3)}'",
    "a domain's name":
    f"runtime: {{egress_restrictions: {{fqdn_allow_list: ['{'a.' * (TEXT // 2)}-']}}}}",
    "what looks like tokens": f"data_dir: '/{'hf-' * (TEXT // 3)}'",
    "what cannot be printed": 'data_dir: "/' + "\\x01" * (TEXT // 4) + '"',
}  # fmt: skip
"""Fields of a config that have to be looked at, value by value or character by character."""

COMMANDS: dict[str, str] = {
    "words": "a " * (TEXT // 2),
    "quotes": "a' b'" * (TEXT // 5),
    "a shell's words": "sh -c '" + "a; " * (TEXT // 3) + "'",
    "semicolons": "a;" * (TEXT // 2),
    "ports": "--port 8000 " * (TEXT // 12),
    "secrets": "sh -c '" + numbered("/secrets/a# ", 10_000) + "'",
    "dots": "/secrets/" + "." * TEXT,
    "comments": "a" + " #" * (TEXT // 2),
}

IMAGES: dict[str, str] = {
    "dashes": "a-" * (TEXT // 2),
    "dots": "a." * (TEXT // 2),
    "slashes": "a/" * (TEXT // 2),
    "underscores": "a_" * (TEXT // 2),
    "placeholders": "<a>" * (TEXT // 3),
}

STAGES: dict[str, str] = {
    "servers without a folder": "servers: {" + numbered("s#: {path: n}, ", MANY // 4 - 20) + "}",
    "servers": "servers: {" + numbered("s#: {path: server}, ", 500) + "}",
    "servers with mistakes": "servers: {" + numbered("s#: {path: server, x: 1}, ", 2000) + "}",
    "servers with overrides":
    "servers: {" + numbered("s#: {path: server, config: {model_name: x}}, ", 500) + "}",
    "an override that deletes":
    f"servers: {{s: {{path: server, config: {{secrets: {{{numbered('a#: , ', 9000)}}}}}}}}}",
    "an override of many": "servers: {s: {path: server, config: {model_metadata: "
    + "{a: " * 45 + repeated("1", MANY - 300) + "}" * 45 + "}}}",
    "encrypted values": "servers: {" + numbered("s#: {secure: v1}, ", MANY // 4 - 20) + "}",
    "digests": "digests: {" + numbered("a#: x, ", 9000) + "}",
    "a size": f"weights: {{storage: {{size: '{'1' * TEXT}x'}}}}",
    "a server's name": f"servers: {{? {'a-' * (TEXT // 2)} : {{path: server}}}}",
    "a server's path": f"servers: {{s: {{path: {'../' * (TEXT // 3)}}}}}",
}  # fmt: skip


SERVED = stack_with("servers: {server: {path: server}}")

Check = Callable[[Bounded, str], dict[str, Any]]
WHOLE: dict[str, Check] = {
    "a config": lambda bounded, bomb: bounded.config(bomb),
    "a stack file": lambda bounded, bomb: bounded.stack(bomb, config_with("")),
    "the config of a stack": lambda bounded, bomb: bounded.stack(SERVED, bomb),
    "a lock file": lambda bounded, bomb: bounded.stack(SERVED, config_with(""), lock=bomb),
}
PARTS: dict[str, Check] = {
    "a config": lambda bounded, fields: bounded.config(config_with(fields)),
    "an override": lambda bounded, fields: bounded.stack(
        stack_with(f"servers: {{server: {{path: server, config: {{{fields}}}}}}}"), config_with("")
    ),
}


def everywhere(bombs: dict[str, str], places: dict[str, Check]) -> list[tuple[str, str]]:
    """Each bomb at each place; at one of them, in turn, where the run is to be short."""
    turns = itertools.cycle(places)
    pairs = itertools.product(bombs, places)
    return list(pairs) if THOROUGH else [(name, next(turns)) for name in bombs]


def within_bounds(answer: dict[str, Any]) -> bool:
    assert "failed" not in answer, answer["failed"]
    return True


@pytest.mark.parametrize(("name", "place"), everywhere(FILES, WHOLE))
def test_a_bomb_is_refused_wherever_it_stands(bounded: Bounded, name: str, place: str) -> None:
    answer = WHOLE[place](bounded, FILES[name])
    assert within_bounds(answer)
    assert [text for text in answer["problems"] if "warning: " not in text]


@pytest.mark.parametrize(("name", "place"), everywhere(FIELDS, PARTS))
def test_a_field_of_many_values_or_characters_is_checked_in_time(
    bounded: Bounded, name: str, place: str
) -> None:
    assert within_bounds(PARTS[place](bounded, FIELDS[name]))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_long_command_is_checked_in_time(bounded: Bounded, name: str) -> None:
    assert within_bounds(bounded.config(config_with("", start_command=f'"{COMMANDS[name]}"')))


@pytest.mark.parametrize("name", IMAGES)
def test_a_long_image_is_refused(bounded: Bounded, name: str) -> None:
    config = config_with("").replace("python:3.11-slim", IMAGES[name])
    answer = bounded.config(config)
    assert within_bounds(answer)
    assert answer["count"] == 1


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_of_many_values_is_checked_in_time(bounded: Bounded, name: str) -> None:
    assert within_bounds(bounded.stack(stack_with(STAGES[name]), config_with("")))


def test_many_secrets_in_plain_are_told_in_time(bounded: Bounded) -> None:
    text = stack_with("servers: {s: {path: server}}", f"{{{numbered('a#: x, ', 9000)}}}")
    assert within_bounds(bounded.stack(text, config_with("")))


def some_value(chance: Random, anchors: int) -> str:
    """A value that is large, or made of what stands above it, or of itself."""
    alias = f"*a{chance.randint(0, anchors)}"
    count = chance.choice([1, 3, 10, 100, 3000])
    return chance.choice(
        [
            f"[{', '.join([alias] * count)}]",
            f"{{{', '.join(f'k{i}: {alias}' for i in range(count))}}}",
            f"{{<<: [{', '.join([alias] * count)}], k: {alias}}}",
            f"{{<<: {alias}, ? {'k' * count} : {alias}}}",
            "{<<: " * 12 + alias + "}" * 12,
            "[" * 12 + alias + "]" * 12,
            f"'{'x' * 40 * count}'",
            f"1{':59' * 40 * count}",
            f"{{{', '.join(f'{j}: x' for j in range(count))}}}",
        ]
    )


def some_bomb(number: int) -> str:
    """The file of that number: fields of a config and others, full of anchors."""
    chance = Random(number)
    names = ["secrets", "requirements", "model_metadata", "weights", "environment_variables"]
    lines = ["a: &a0 {x: y}"]
    for i in range(1, chance.randint(2, 30)):
        name = chance.choice([f"f{i}", *names])
        lines.append(f"{name}: &a{i} {some_value(chance, i)}")
    return config_with("\n".join(lines) + "\n")


def overridden(bounded: Bounded, text: str) -> dict[str, Any]:
    indented = text.replace("\n", "\n          ")
    head = "servers:\n      server:\n        path: server\n        config:\n          "
    return bounded.stack(stack_with(head + indented), config_with(""))


def test_whatever_is_made_of_anchors_is_checked_in_time(bounded: Bounded) -> None:
    checks = [*WHOLE.values(), overridden]
    for number in cases(0.05):
        answer = checks[number % len(checks)](bounded, some_bomb(number))
        assert "failed" not in answer, (number, answer["failed"])
