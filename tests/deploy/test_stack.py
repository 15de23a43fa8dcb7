"""The ready-made program's reading of its stack."""

import json
from collections.abc import Iterator
from typing import Any, cast

import pulumi
import pytest
import yaml
from pulumi.runtime import mocks, set_all_config
from support.workspace import Workspace
from trussform.deploy import read_stack


class Answers(mocks.Mocks):
    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, object]]:
        return f"{args.name}-id", dict(cast(Any, args).inputs)

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]]]:
        return {}, []


@pytest.fixture(autouse=True)
def no_configuration_is_left() -> Iterator[None]:
    yield
    set_all_config({})


@pytest.mark.parametrize("project_file", ["Pulumi.yaml", "Pulumi.yml"])
def test_each_server_gets_the_secrets_that_it_reads_and_the_rest_are_a_warning(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, project_file: str
) -> None:
    workspace.write_config({"secrets": {"token": None}})
    other = workspace.folder / "other/config.yaml"
    other.parent.mkdir()
    other.write_text(
        yaml.safe_dump({**yaml.safe_load(workspace.config.read_text()), "secrets": {}})
    )
    values = {"token": "t", "typo": "t"}
    stage = {"servers": {"server": {"path": "server"}, "other": {"path": "other"}}}
    stack_file = workspace.write_stack(stage, **{"trussform:secrets": values})
    settings = workspace.folder / "Pulumi.yaml"
    settings.write_text("name: p\nruntime: python\nstackConfigDir: stacks\n")
    settings.rename(settings.with_name(project_file))
    stack_file.rename(stack_file.with_suffix(project_file.removeprefix("Pulumi")))
    monkeypatch.chdir(workspace.folder)
    said: list[str] = []

    def warn(text: str, *_: object) -> None:
        said.append(text)

    monkeypatch.setattr(pulumi.log, "warn", warn)
    mocks.set_mocks(Answers(), project="p", stack="dev")
    set_all_config({"trussform:secrets": json.dumps(values)}, ["trussform:secrets"])

    servers = read_stack().servers
    given = {name: list(args.get("secrets", ())) for name, args in servers.items()}
    assert given == {"server": ["token"], "other": []}
    *plain, warning = said
    assert all("is in plain text" in text for text in plain)
    assert "trussform:secrets.typo: no server of the stack reads this secret; " in warning
    assert warning.startswith("stacks/Pulumi.dev.y")
