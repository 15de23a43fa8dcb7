"""Runs the checks of a client's program, once for each key, and prints JSON of what they saw.

The program reads JSON from its standard input: the URLs of the servers, and the headers of each
key by the key's name. An error is seen as its class and its status.
"""

import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

REQUEST_ID = "X-Baseten-Request-Id"


class Key:
    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers
        scheme, _, value = headers.get("authorization", "").partition(" ")
        self.bearer = value if scheme == "Bearer" else None
        """The value for a client that makes the header by itself."""


Check = Callable[[Any], Any]


def by_name(*checks: Check) -> dict[str, Check]:
    return {check.__name__.replace("_", "-"): check for check in checks}


def main(
    package: str,
    connect: Callable[[dict[str, str], Key], Any],
    checks: dict[str, Check],
) -> None:
    """Runs the program. `connect` makes the argument of the checks from the URLs and a key."""
    given = json.load(sys.stdin)

    def see(check: Check, headers: dict[str, str]) -> dict[str, Any]:
        try:
            return {"saw": check(connect(given["urls"], Key(headers)))}
        except Exception as error:
            return {"saw": describe(error), "message": str(error)}

    saw = {
        key: {name: see(check, headers) for name, check in checks.items()}
        for key, headers in given["keys"].items()
    }
    print(json.dumps({"version": version(package), "saw": saw}, default=str))


def describe(error: Any) -> list[Any]:
    """Returns the class of an error of any of the clients, and its status or first argument."""
    if callable(getattr(error, "code", None)):
        return ["RpcError", error.code().name]  # gRPC's own classes are private.
    response = getattr(error, "response", None) or error
    status = getattr(response, "status_code", None) or (error.args or [None])[0]
    return [type(error).__name__, status]


def same_id(headers: Any) -> bool:
    """Returns whether the server and the client see the same request id in these headers of a
    response."""
    seen = json.loads(headers["X-Seen"])["request_id"]
    return bool(seen) and headers.get(REQUEST_ID) == seen
