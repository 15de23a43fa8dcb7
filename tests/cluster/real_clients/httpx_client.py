"""httpx, with each URL that the clients of Baseten build."""

import json
from collections.abc import Callable

import httpx
from checks import REQUEST_ID, Key, main, same_id

PATHS = {
    "environments-predict": "/environments/production/predict",
    "environments-sync": "/environments/production/sync/v1/models",
    "production-predict": "/production/predict",
    "production-sync": "/production/sync/v1/models",
    "bare-predict": "/predict",
    "bare-sync": "/sync/v1/models",
    "environments-development": "/environments/development/predict",
    "development-predict": "/development/predict",
    "development-sync": "/development/sync/v1/models",
}


def connect(urls: dict[str, str], key: Key) -> httpx.Client:
    return httpx.Client(base_url=urls["chat"], headers=key.headers)


def shape(path: str) -> Callable[[httpx.Client], list[str]]:
    """Makes a check that returns the stage that answers, and the path that its server sees."""

    def check(client: httpx.Client) -> list[str]:
        seen = json.loads(succeed(client.get(path)).headers["X-Seen"])
        return [seen["stage"], seen["path"]]

    return check


def key_hidden(client: httpx.Client) -> bool:
    """Returns whether the server sees no key."""
    seen = json.loads(succeed(client.get("/environments/production/predict")).headers["X-Seen"])
    return not (seen["authorization"] or seen["baseten_authorization"])


def request_id(client: httpx.Client) -> bool:
    answers = [succeed(client.get("/environments/production/predict")) for _ in range(2)]
    ids = {answer.headers.get(REQUEST_ID) for answer in answers}
    return len(ids) == 2 and all(same_id(answer.headers) for answer in answers)


def succeed(answer: httpx.Response) -> httpx.Response:
    return answer.raise_for_status()


CHECKS = {
    **{name: shape(path) for name, path in PATHS.items()},
    "key-hidden": key_hidden,
    "request-id": request_id,
}

if __name__ == "__main__":
    main("httpx", connect, CHECKS)
