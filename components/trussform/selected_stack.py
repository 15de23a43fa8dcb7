"""The stack that `pulumi stack select` selected in a project."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from trussform.source import is_mapping


def selected_stack(project: Path, settings: dict[str, Any]) -> str | None:
    """Returns the name of the selected stack; None if there is none.

    `project` is the project file, and `settings` is its content. The variable PULUMI_STACK wins
    over the selection that Pulumi stores for this project and this backend. The same rule is in
    pulumi/pulumi, pkg/backend/state/stacks.go: CurrentStack.
    """
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    digest = hashlib.sha1(os.path.abspath(project).encode(), usedforsecurity=False).hexdigest()
    workspace = _read(home / "workspaces" / f"{settings.get('name')}-{digest}-workspace.json")
    stacks = workspace.get("stacks")
    found: Any = workspace.get("stack")
    if is_mapping(stacks):
        found = stacks.get(_backend(home, settings), found)
    found = os.environ.get("PULUMI_STACK", found)
    # The full name is `organization/project/stack`.
    return found.rpartition("/")[2] or None if isinstance(found, str) else None


def _backend(home: Path, settings: dict[str, Any]) -> str:
    """Returns the URL of the backend that Pulumi is logged in to."""
    own = settings.get("backend")
    url = own.get("url") if is_mapping(own) else None
    folder = Path(os.environ.get("PULUMI_CREDENTIALS_PATH") or home)
    return str(
        os.environ.get("PULUMI_BACKEND_URL")
        or url
        or _read(folder / "credentials.json").get("current", "")
    )


def _read(file: Path) -> dict[str, Any]:
    """Returns the content of a JSON file; an empty dict if it is missing or unreadable."""
    try:
        data = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return data if is_mapping(data) else {}
