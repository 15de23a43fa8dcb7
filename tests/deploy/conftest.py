"""Programs run against the SDK's mocks, in a workspace of the test."""

import pytest
from pulumi.runtime.mocks import set_mocks
from support.mocks import Answers, Recorder
from support.workspace import Workspace


@pytest.fixture
def recorder(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    monkeypatch.chdir(workspace.folder)
    mocks = Answers()
    recorder = Recorder(mocks)
    set_mocks(mocks, project="p", stack="dev", preview=False, monitor=recorder)
    return recorder
