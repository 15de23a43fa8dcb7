"""The simple commands of a shell's text, with the position of each word."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_BLANK = re.compile(r"(?:[ \t]|\\\n)+")
_REDIRECTION = re.compile(r"[0-9]*(?:<<<|<<-?|<>|<&|>&|>>|>\||<|>)|&>>?")
_SEPARATOR = re.compile(r"&&|\|\||;;|\|&|[;&|()\n]")
_PLAIN = re.compile(r"(?:[^ \t\n\\'\"$`;&|()<>]|\$(?![({]))+")
_KEYWORDS = ("!", "{", "}", "do", "done", "elif", "else", "fi", "if", "then", "until", "while")


class Word(NamedTuple):
    """A word of a shell's text."""

    text: str
    """The word without its quotes; expansions stay as they are written."""
    places: tuple[int, ...] = ()
    """The position of each character in the text."""
    quoted: tuple[bool, ...] = ()
    """For each character, true if it is in quotes."""
    end: int = 0
    """The position after the word and its last quote."""


class Unreadable(Exception):
    """Raised for a quote or a substitution that has no end."""


def simple_commands(text: str) -> list[list[Word]]:
    """Returns the words of each simple command in the order of the text, without redirections.

    `a & b | c > log` has the commands `a`, `b` and `c`. A substitution is part of its word.
    Returns nothing for a text that no shell can read.
    """
    commands: list[list[Word]] = [[]]
    try:
        for word in _words(text):
            if word is None:
                commands.append([])
            elif commands[-1] or word.text not in _KEYWORDS:
                commands[-1].append(word)
    except Unreadable:
        return []
    return [words for words in commands if words]


def _words(text: str) -> Iterator[Word | None]:
    """Yields the words of a text, and None between two commands."""
    at = 0
    target = False
    documents: list[str] = []
    while at < len(text):
        if match := _BLANK.match(text, at):
            at = match.end()
        elif text[at] == "#":
            at = _end_of_line(text, at)
        elif match := _REDIRECTION.match(text, at):
            at = match.end()
            target = True
            if match.group().lstrip("0123456789") in ("<<", "<<-"):
                documents.append("")
        elif match := _SEPARATOR.match(text, at):
            at = match.end()
            yield None
            while match.group() == "\n" and documents:
                at = _after_document(text, at, documents.pop(0))
        else:
            word, at = _word(text, at)
            if target and documents and not documents[-1]:
                documents[-1] = word.text
            elif not target:
                yield word
            target = False


Spans = list[tuple[int, int, bool]]
"""The start and end of each part of a text that a word keeps; true for a quoted part."""


def _word(text: str, at: int) -> tuple[Word, int]:
    """Returns the word at a position, and the position of its end."""
    kept: Spans = []
    while at < len(text):
        if text[at] == "'":
            end = _find(text, "'", at + 1)
            kept.append((at + 1, end, True))
            at = end + 1
        elif text[at] == '"':
            at = _double_quoted(text, at + 1, kept)
        elif text[at] == "\\":
            if text[at + 1 : at + 2] != "\n":
                kept.append((at + 1, min(at + 2, len(text)), False))
            at += 2
        elif end := _plain(text, at):
            kept.append((at, end, False))
            at = end
        else:
            break
    places = tuple(place for start, end, _ in kept for place in range(start, end))
    quoted = tuple(inside for start, end, inside in kept for _ in range(start, end))
    return Word("".join(text[place] for place in places), places, quoted, at), at


def _double_quoted(text: str, at: int, kept: Spans) -> int:
    """Adds the text in double quotes to `kept`, and returns the position of its end."""
    while text[at : at + 1] != '"':
        if at >= len(text):
            raise Unreadable
        if text[at] == "\\" and text[at + 1 : at + 2] in ("$", "`", '"', "\\", "\n"):
            if text[at + 1] != "\n":
                kept.append((at + 1, at + 2, True))
            at += 2
            continue
        end = _after_substitution(text, at) or at + 1
        kept.append((at, end, True))
        at = end
    return at + 1


def _plain(text: str, at: int) -> int:
    """Returns the end of a substitution or a run of plain characters; 0 if there is none."""
    if end := _after_substitution(text, at):
        return end
    match = _PLAIN.match(text, at)
    return match.end() if match else 0


def _after_substitution(text: str, at: int) -> int:
    """Returns the end of `$(…)`, `${…}` or a pair of backticks; 0 if none begins here."""
    if text[at] == "`":
        return _find(text, "`", at + 1) + 1
    if not text.startswith(("$(", "${"), at):
        return 0
    opened, closed = text[at + 1], ")" if text[at + 1] == "(" else "}"
    depth = 0
    at += 1
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == "'":
            at = _find(text, "'", at + 1)
        elif text[at] == opened:
            depth += 1
        elif text[at] == closed:
            depth -= 1
            if not depth:
                return at + 1
        at += 1
    raise Unreadable


def _find(text: str, mark: str, at: int) -> int:
    """Returns the position of a closing mark."""
    if (found := text.find(mark, at)) < 0:
        raise Unreadable
    return found


def _end_of_line(text: str, at: int) -> int:
    """Returns the position of the next line break, or of the end of the text."""
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _after_document(text: str, at: int, mark: str) -> int:
    """Returns the position of the end of a here-document."""
    while at < len(text):
        end = _end_of_line(text, at)
        line, at = text[at:end], end + 1
        if line.strip("\t") == mark:
            break
    return at
