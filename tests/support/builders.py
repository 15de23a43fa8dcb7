"""The builders of images."""

import os

import pytest

READ = "sha256sum < /root/t | cut -d' ' -f1"


def use_buildx(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = os.environ.get("TRUSSFORM_TEST_BUILDX")
    if not folder:
        pytest.skip("no buildx builder: TRUSSFORM_TEST_BUILDX is not set (see CONTRIBUTING.md)")
    monkeypatch.setenv("DOCKER_CONFIG", folder)
    monkeypatch.setenv("BUILDX_BUILDER", "trussform")
