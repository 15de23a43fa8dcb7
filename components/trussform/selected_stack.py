"""The stack that `pulumi stack select` has chosen in a project."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from trussform.source import is_mapping


def selected_stack(project: Path, settings: dict[str, Any]) -> str | None:
    """Returns the name of the selected stack; None if there is none.

    `project` is the project file and `settings` its content. The rule is that of CurrentStack in
    pulumi/pulumi, pkg/backend/state/stacks.go: the variable PULUMI_STACK, else the selection that
    Pulumi keeps for this project and this backend.
    """
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    digest = hashlib.sha1(os.path.abspath(project).encode(), usedforsecurity=False).hexdigest()
    kept = _read(home / "workspaces" / f"{settings.get('name')}-{digest}-workspace.json")
    stacks = kept.get("stacks")
    found: Any = kept.get("stack")
    if is_mapping(stacks):
        found = stacks.get(_backend(home, settings), found)
    found = os.environ.get("PULUMI_STACK", found)
    # The full name is `organization/project/stack`.
    return found.rpartition("/")[2] or None if isinstance(found, str) else None


def _backend(home: Path, settings: dict[str, Any]) -> str:
    """Returns the URL of the backend that Pulumi is logged in to."""
    own = settings.get("backend")
    url = own.get("url") if is_mapping(own) else None
    return str(
        os.environ.get("PULUMI_BACKEND_URL")
        or url
        or _read(home / "credentials.json").get("current", "")
    )


def _read(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return data if is_mapping(data) else {}
