"""Truss itself is the oracle: what it refuses is refused here too, and what it accepts is accepted,
but for the differences below."""

# pyright: reportMissingTypeStubs=false

import copy
import logging
import re
import warnings
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.workspace import CONFIG, CORPUS, ROOT
from truss.base.truss_config import TrussConfig
from trussform.config import load_config_folder
from trussform.config.support import SUPPORT
from trussform.problem import ProblemError
from trussform.source import is_mapping

DIFFERENCES = {
    r"docker_server: (required|expected)": "a server is all that is deployed here",
    r"base_image\.image: required": "nobody could pull it",
    r"base_image\.image: .* (an image|white space)": "nobody could pull it",
    r"docker_server\.\w+_endpoint: ": "it is no path, and no probe or route could ask for it",
    r"docker_server\.(server_port|run_as_user_id): input should be": "no port or user is that",
    r"docker_server\.start_command: the command": "nothing would start",
    r"resources\.node_count: Trussform does not": "a server has one node here",
    r"resources\.(cpu|memory): ": "Kubernetes takes no such amount",
    r"resources\.accelerator: this is not an accelerator": "Truss drops what it does not know",
    r"runtime\.health_checks\.\w+: input should be": "no probe can wait for so long, or not at all",
    r"runtime\.predict_concurrency: input should be": "nothing could be served",
    r".*: expected a whole number, found (true or false|text)": "true is no number",
    r"runtime\.transport\.\w+: unknown field": "Truss drops what it does not know",
    r"build\.no_cache: ": "Truss refuses it only where it is written as true",
    r"requirements_file: .*(no such file|cannot install)": "Truss looks for the file later",
    r"external_package_dirs\.\d+: the folder does not exist": "Truss looks for the folder later",
    r".*: (`.*` is outside|this is) the config's (own )?folder": "only what is below is deployed",
    r"(environment_variables|secrets)\b": "Kubernetes has no such name, or the value is a secret",
    r"build\.arguments\b": "no shell has such a variable",
    r"system_packages\b": "apt knows no such package",
}
"""Our complaints about what Truss accepts, each with its reason."""

NOT_CHECKED_WITHIN = {"bdn", "trt_llm", "bis_llm", "training_checkpoints"}
"""ProblemError by name, whatever is in them."""


RICH: dict[str, Any] = {
    **CONFIG,
    "weights": [{"source": "hf://a/b@main", "mount_location": "/models/b"}],
    "external_data": [{"url": "https://example.com/x", "local_data_path": "x"}],
    "build": {"secret_to_path_mapping": {"token": "/run/token"}, "arguments": {"a": 1}},
    "runtime": {"egress_restrictions": {"ip_allow_list": ["10.0.0.0/8"]}},
}
CACHED: dict[str, Any] = {
    **CONFIG,
    "base_image": {
        **CONFIG["base_image"],
        "docker_auth": {
            "auth_method": "aws_oidc",
            "aws_oidc_role_arn": "arn:aws:iam::1:role/x",
            "aws_oidc_region": "us-east-1",
        },
    },
    "model_cache": [
        {"repo_id": "a/b", "use_volume": True, "revision": "main", "volume_folder": "b"}
    ],
    "cache_internal": [{"repo_id": "a/b"}],
    "requirements": ["six"],
}
SEEDS: list[dict[str, Any]] = [
    CONFIG,
    *(
        yaml.safe_load(file.read_text())
        for file in (*sorted((ROOT / "examples/servers").glob("*/config.yaml")), *CORPUS)
    ),
]
PARTS = (
    "build.no_cache", "build.model_server", "build.oops", "resources.fabric.use_rdma",
    "resources.fabric.preferences", "runtime.oidc.enabled", "runtime.remote_ssh.enabled",
    "runtime.egress_restrictions.fqdn_allow_list", "base_image.docker_auth.auth_method",
    "base_image.docker_auth.registry", "runtime.oops", "oops",
)  # fmt: skip
"""Fields of fields, and some that nobody knows."""
FIELDS: list[tuple[Any, ...]] = [tuple(name.split(".")) for name in (*SUPPORT, *PARTS)]
VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 3.5, "", "x", "1", "true", "1e3", "L4", "H100:2", "B7", "10Gi",
    "500m", "hf://a/b", "s3://x/y", "s3://x@1", "s3:///x", "ftp://x", "/models", "py27", 8080,
    70000, 60000,
    [], {}, ["a"], [1], [{}], {"a": "b"}, {"kind": "grpc"}, {"enabled": True}, {"kind": ["x"]},
]  # fmt: skip


def places(part: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    children = part.items() if is_mapping(part) else enumerate(part)
    for key, child in list(children):
        yield (*at, key)
        if isinstance(child, dict | list):
            yield from places(child, (*at, key))


def changed(config: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The config with a value at a place; what has to be there for it is made."""
    config = copy.deepcopy(config)
    part: Any = config
    for key, inner in pairwise(place):
        kind: Any = list if isinstance(inner, int) else dict
        if is_mapping(part) and not isinstance(part.get(key), kind):
            part[key] = kind()
        part = part[key]
    part[place[-1]] = copy.deepcopy(value)
    return config


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    """A real config with one or two changes."""
    config = draw(st.sampled_from(SEEDS) | st.sampled_from([RICH, CACHED]))
    for _ in range(draw(st.integers(1, 2))):
        place = draw(st.sampled_from([*places(config), *FIELDS]))
        change = draw(st.sampled_from(["set", "delete", "rename"]))
        config = changed(config, place, draw(st.sampled_from(VALUES)))
        *parents, last = place
        part: Any = config
        for key in parents:
            part = part[key]
        if change != "set" and is_mapping(part):
            value = part.pop(last)
            if change == "rename":
                part[f"{last}x"] = value
    return config


def refusal(file: Path) -> str | None:
    """Returns the errors of Truss for a file."""
    try:
        TrussConfig.from_yaml(file).validate_forbid_extra()
    except Exception as error:  # Truss lets some out that are not its own.
        return f"{type(error).__name__}: {error}"
    return None


def complaints(file: Path) -> list[str]:
    """Ours, as `field: what is wrong`."""
    try:
        truss = load_config_folder(file)
    except ProblemError as error:
        return [f"{problem.field}: {problem.message}" for problem in error.problems]
    found = [problem for problem in truss.problems if problem.level == "error"]
    return [f"{'.'.join(map(str, problem.path))}: {problem.message}" for problem in found]


def disagreement(file: Path, config: dict[str, Any]) -> str | None:
    """Returns the disagreements with Truss that no known difference explains."""
    file.write_text(yaml.safe_dump(config))
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        against = refusal(file)
    # What Trussform cannot do yet is no word on whether the config is a right one.
    ours = [
        complaint
        for complaint in complaints(file)
        if "does not support this field yet" not in complaint
    ]
    if against is not None:
        known = ours or config.keys() & NOT_CHECKED_WITHIN
        return None if known else f"Truss alone refuses it: {against}"
    for complaint in ours:
        if not any(re.match(pattern, complaint, re.DOTALL) for pattern in DIFFERENCES):
            return f"we alone refuse it: {complaint}"
    return None


@settings(
    max_examples=2000,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(config=configs())
def test_truss_and_trussform_agree_on_real_configs_with_changes(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    assert disagreement(tmp_path / "config.yaml", config) is None


@pytest.mark.parametrize(
    ("config", "place"),
    [
        *((RICH, place) for place in dict.fromkeys([*places(RICH), *FIELDS])),
        *((CACHED, place) for place in places(CACHED)),
    ],
    ids=lambda part: ".".join(map(str, cast(Any, part))) if isinstance(part, tuple) else "",
)
def test_truss_and_trussform_agree_on_every_value_of_a_field(
    tmp_path: Path, config: dict[str, Any], place: tuple[Any, ...]
) -> None:
    disagreements = {
        repr(value): said
        for value in VALUES
        if (said := disagreement(tmp_path / "config.yaml", changed(config, place, value)))
    }
    assert disagreements == {}
