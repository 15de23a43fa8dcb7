"""Names that Kubernetes and DNS take, from whatever a server is called."""

import hashlib
import re

_PLAIN = re.compile(r"[a-z]([-a-z0-9]{0,48}[a-z0-9])?")


def kubernetes_name(name: str) -> str:
    """The name itself where it is one; otherwise a readable form of it with a hash.

    The result is a DNS label of up to 50 characters that starts with a letter, the
    same at every call, and another one for every other name.
    """
    if _PLAIN.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not readable[:1].isalpha():
        readable = f"server-{readable}"
    return f"{readable[:40].strip('-')}-{digest}"
