"""Text that scorers compare and explain: declared normalisation, tokens, short quotations."""

from __future__ import annotations

import hashlib
import re
import string
import unicodedata
from collections.abc import Callable, Collection
from typing import Literal, TypeAlias

from harness.core.values import JsonValue, as_text, encodable

Normalisation: TypeAlias = Literal[
    "nfc", "nfkc", "lower", "punctuation", "articles", "whitespace", "strip"
]

SQUAD: tuple[Normalisation, ...] = ("lower", "punctuation", "articles", "whitespace")
"""The normalisation of the SQuAD evaluation (Rajpurkar et al. 2016)."""

_ARTICLES = re.compile(r"\b(?:an?|the)\b", re.IGNORECASE)
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_QUOTE_CHARACTERS = 80
_CLASS_CHARACTERS = 120


def normalise(text: str, steps: Collection[Normalisation]) -> str:
    """`text` after the given steps.

    They are always taken in one order, whatever order they are given in: Unicode form, lower
    case, ASCII punctuation dropped, articles (a, an, the) dropped, runs of white space made one
    space and the ends stripped, the ends stripped.
    """
    for name, step in _STEPS.items() if steps else ():
        if name in steps:
            text = step(text)
    return text


def squad_tokens(text: str) -> list[str]:
    """The words of `text` after `SQUAD`."""
    return normalise(text, SQUAD).split()


def quote(value: JsonValue) -> str:
    """A value as a reader is shown it in an explanation: one line, at most 80 characters."""
    text = _text_or_type(value)
    short = " ".join(text[: 4 * _QUOTE_CHARACTERS].split())
    if len(short) > _QUOTE_CHARACTERS or len(text) > 4 * _QUOTE_CHARACTERS:
        short = short[: _QUOTE_CHARACTERS - 1] + "…"
    return encodable(short) if short else "nothing"


def got_expected(got: JsonValue, expected: JsonValue) -> str:
    """The explanation of a wrong answer."""
    return f"got {quote(got)}, expected {quote(expected)}"


def class_name(text: str) -> str:
    """A label as it stands in a confusion table; long ones keep their start and a hash."""
    text = encodable(text)
    if len(text) <= _CLASS_CHARACTERS:
        return text or "(empty)"
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{text[: _CLASS_CHARACTERS - 10]}…#{digest}"


def _text_or_type(value: JsonValue) -> str:
    try:
        return as_text(value)
    except (RecursionError, ValueError, TypeError):
        return f"a {type(value).__name__} that cannot be shown"


_STEPS: dict[Normalisation, Callable[[str], str]] = {
    "nfc": lambda text: unicodedata.normalize("NFC", text),
    "nfkc": lambda text: unicodedata.normalize("NFKC", text),
    "lower": str.lower,
    "punctuation": lambda text: text.translate(_NO_PUNCTUATION),
    "articles": lambda text: _ARTICLES.sub(" ", text),
    "whitespace": lambda text: " ".join(text.split()),
    "strip": str.strip,
}
