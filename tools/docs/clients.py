"""`make docs`: writes the table of the clients, and their checks, into docs/clients.md."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/clients.md"
FOLDER = ROOT / "tests/cluster/real_clients"

MADE = re.compile(r"(?<=<!-- `make docs` makes this part).*?(?=<!-- the end)", re.DOTALL)
START = f" from {FOLDER.relative_to(ROOT)} -->"
HEAD = """| client | version | base URL and key | spellings of the key |
| --- | --- | --- | --- |"""
SPELLINGS = {
    "bearer": "`Bearer`",
    "api-key": "`Api-Key`",
    "baseten-bearer": "`Bearer` in `baseten-authorization`",
    "baseten-api-key": "`Api-Key` in `baseten-authorization`",
    "baseten-first": "the latter, beside an `authorization` for the server",
}


def page() -> str:
    """Returns the page, with the part that is made."""
    clients = yaml.safe_load((FOLDER / "clients.yaml").read_text())
    lock = (FOLDER / "requirements.lock").read_text()
    versions = dict(re.findall(r"^(\S+)==(\S+)", lock, re.MULTILINE))
    rows = [row(client, versions) for client in clients]
    made = [START, HEAD, *rows, "", "The tests check:", "", *map(checks, clients), ""]
    return MADE.sub(lambda _: "\n".join(made), PAGE.read_text())


def row(client: dict[str, Any], versions: dict[str, str]) -> str:
    package = client["package"]
    spellings = ", ".join(SPELLINGS[key] for key in client["keys"])
    return f"| {package} | {versions[package]} | `{client['code']}` | {spellings} |"


def checks(client: dict[str, Any]) -> str:
    what = "; ".join(check["what"] for check in client["checks"].values())
    return f"- {client['name']}: {what}."


if __name__ == "__main__":
    PAGE.write_text(page())
