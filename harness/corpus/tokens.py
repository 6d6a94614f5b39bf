"""Counting tokens offline: o200k_base of tiktoken, whose vocabulary litellm brings along.

Context budgets and chunk sizes are in these tokens, whatever the model: the same text has the same
length in every variant. Where the vocabulary cannot be had, words and marks are counted instead;
`identity` says which of the two it is, and goes into what a run pins.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.core.values import encodable
from harness.files import sha256

if TYPE_CHECKING:
    import tiktoken

Offsets: TypeAlias = NDArray[np.int64]

ENCODING = "o200k_base"

_CACHE = "TIKTOKEN_CACHE_DIR"
_FILE = "fb374d419588a4632f3f557e76b4b70aebbca790"  # as tiktoken names it: sha1 of its address
_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
_PIECE = 4000  # characters; a long run without spaces takes more than linear time
_WORD = re.compile(r"\w{1,6}|[^\w\s]")


def identity() -> str:
    """What counts: `tiktoken 0.14.0 o200k_base`, or `words and marks`."""
    if _folder() is None:
        return "words and marks"
    from importlib.metadata import version

    return f"tiktoken {version('tiktoken')} {ENCODING}"


def count_tokens(text: str) -> int:
    """How many tokens `text` has. Linear in its length, whatever it holds.

    A text is counted in pieces of 4000 characters, cut before spaces where there are any.
    """
    text, encoding = encodable(text), _encoding()
    if encoding is None:
        return sum(1 for _ in _WORD.finditer(text))
    return sum(len(encoding.encode_ordinary(text[a:b])) for a, b in _pieces(text))


def token_starts(text: str) -> Offsets:
    """The offsets of the characters in which the tokens of `text` begin, in order.

    There are as many as `count_tokens` counts. Tokens that begin inside a character are at its
    start, so an offset may come more than once.
    """
    text, encoding = encodable(text), _encoding()
    if encoding is None:
        return np.fromiter((match.start() for match in _WORD.finditer(text)), np.int64)
    found = [_starts(encoding, text[a:b]) + a for a, b in _pieces(text)]
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def _starts(encoding: tiktoken.Encoding, piece: str) -> Offsets:
    tokens = encoding.decode_tokens_bytes(encoding.encode_ordinary(piece))
    lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
    starts = np.cumsum(lengths) - lengths  # in bytes
    if piece.isascii():
        return starts
    raw = np.frombuffer(piece.encode(), np.uint8)
    character_of_byte = np.cumsum((raw & 0xC0) != 0x80) - 1
    found: Offsets = character_of_byte[starts].astype(np.int64)
    return found


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(text):
        end = start + _PIECE
        if end < len(text):
            space = text.rfind(" ", start + 1, end)
            end = space if space > 0 else end
        yield start, min(end, len(text))
        start = end


@cache
def _encoding() -> tiktoken.Encoding | None:
    """The encoding, read from a file; None where there is no such file. Nothing is fetched."""
    folder = _folder()
    if folder is None:
        return None
    import tiktoken

    os.environ[_CACHE] = str(folder)
    return tiktoken.get_encoding(ENCODING)


@cache
def _folder() -> Path | None:
    """The folder that holds the vocabulary; None if there is none."""
    return next((folder for folder in _folders() if _is_vocabulary(folder / _FILE)), None)


def _folders() -> Iterator[Path]:
    """Where the vocabulary may be: the user's own folder first, then litellm's."""
    own = os.environ.get(_CACHE)
    if own:
        yield Path(own)
    spec = importlib.util.find_spec("litellm")  # finds the folder and imports nothing
    for place in (spec and spec.submodule_search_locations) or ():
        yield Path(place) / "litellm_core_utils" / "tokenizers"


def _is_vocabulary(path: Path) -> bool:
    """Whether tiktoken will take this file: a wrong one it would delete, and fetch anew."""
    try:
        return path.is_file() and sha256(path) == _SHA256
    except OSError:
        return False
