"""The secrets of the sources."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, cast

from .source import FetchError, Source

SECRETS = Path(os.environ.get("TRUSSFORM_SECRETS", "/secrets"))


def secret(source: Source) -> str | None:
    """Returns the text of the source's secret; None if there is none."""
    file = SECRETS / (source.secret or "-")
    return (file.read_text().strip() or None) if file.is_file() else None


def login(source: Source, *needed: str) -> dict[str, Any]:
    """Returns the fields of a secret that is a JSON object; none if the source has no secret.

    Baseten's page and truss-transfer-cli spell the fields of AWS in two ways; the names here are
    the page's. https://docs.baseten.co/development/model/bdn#source-types-and-authentication
    """
    name, text = source.secret, secret(source)
    if text is None:
        if (SECRETS / (name or "-")).is_file():
            raise FetchError(f"the secret {name} is empty; write JSON with {', '.join(needed)}")
        return {}
    try:
        data, fault = json.loads(text), ""
    except ValueError as error:
        data, fault = None, f": {error}"
    if not isinstance(data, dict):
        needs = ", ".join(needed)
        raise FetchError(f"the secret {name} is not a JSON object{fault}; write one with {needs}")
    fields = cast("dict[str, Any]", data)
    # Without them nobody would sign the request, or the pod's own identity would.
    absent = [field for field in needed if not field_of(fields, field)]
    if absent:
        raise FetchError(f"the secret {name} has no {', '.join(absent)}; add the field as text")
    for field in ("aws_region", "aws_session_token", "region", "session_token"):
        if not isinstance(fields.get(field), (str, type(None))):
            raise FetchError(f"{field} of the secret {name} is not text; write it in quotes")
    return fields


def field_of(fields: dict[str, Any], name: str) -> str | None:
    """Returns the text of a field, by Baseten's name or by that of truss-transfer-cli."""
    for spelling in (name, name.removeprefix("aws_")):
        text = fields.get(spelling)
        if isinstance(text, str) and text.strip():
            return text.strip()
    return None
