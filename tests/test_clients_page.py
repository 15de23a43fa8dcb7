"""The page of the clients: the versions of their lock file, and the checks that the tests run."""

import runpy

from support.workspace import ROOT


def test_the_page_of_the_clients_has_the_versions_and_the_checks_of_their_tests() -> None:
    made = runpy.run_path(str(ROOT / "tools/docs/clients.py"))["page"]()
    assert made == (ROOT / "docs/clients.md").read_text(), "run `make docs`"
