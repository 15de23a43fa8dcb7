"""Recognises text that looks like a secret, and hides it."""

import re

_PREFIXES = "hf|r8|gsk|ghp|github_pat|dckr_pat|glpat|xox[abp]|nvapi|sk|AKIA|AIza|eyJ"
"""The beginnings of well-known API tokens and access keys."""

_PEM = r"-----BEGIN"
_URL_LOGIN = r"(?<=://)[^/\s:@`]+:[^/\s@`]+(?=@)"
_TOKEN = rf"\b({_PREFIXES})(?=[-\w.]{{0,99}}[0-9])[-\w.]{{12,}}"
_RANDOM_WORD = (
    r"(?<![-\w/.:])(?=[a-z]{0,31}[A-Z0-9])(?=[A-Z0-9]{0,31}[a-z])(?![0-9a-f]{32})\w{32,}(?![-\w/.])"
)
"""A word of 32 or more characters with letters of both cases or digits; not hexadecimal."""
_RANDOM_VALUE = r"(?=[^<>\s]*[0-9])(?=[^<>\s]*[a-zA-Z])[-\w.+/=]{20,}$|[a-zA-Z0-9]{32,}$"
"""A whole value of 20 or more characters with letters and digits."""

_IN_TEXT = re.compile(rf"{_PEM}[^`]*|{_URL_LOGIN}|{_TOKEN}|{_RANDOM_WORD}")
_WHOLE_VALUE = re.compile(
    rf"{_PEM} |[a-z+]+://[^/\s:]+:[^/\s@]+@|({_PREFIXES})(?=\S*[0-9])\S{{12,}}$|{_RANDOM_VALUE}"
)


def redact(text: str) -> str:
    """Returns the text with `…` in place of each part that looks like a secret."""
    return _IN_TEXT.sub("…", text)


def shows_secret(text: str) -> bool:
    """Returns true if a part of the text looks like a secret."""
    return _IN_TEXT.search(text) is not None


def is_secret(value: str) -> bool:
    """Returns true if a value that should be a placeholder looks like a real secret.

    It is stricter than `shows_secret`, because such a value has no other use.
    """
    return _WHOLE_VALUE.match(value.strip()) is not None


def redact_words(text: str) -> str:
    """Returns a command or a request body with `…` in place of each word that may be a secret."""
    words = re.split(r"([\s='\"]+)", text)
    return "".join("…" if _WHOLE_VALUE.match(word) else word for word in words)
