"""The document of what scanners say: as the exceptions have it."""

import subprocess
import sys

from support.workspace import ROOT


def test_the_document_of_the_exceptions_is_as_their_file_has_it() -> None:
    command = [sys.executable, str(ROOT / "tools/docs/hardening.py")]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert made == (ROOT / "docs/hardening.md").read_text(), "run `make docs`"
