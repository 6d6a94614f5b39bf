"""Factors, the dotted names and plain values that define a variant, as a reader sees them.

A value that stands for a file or a long text is a name and a hash of the content.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from harness.core.values import JsonValue, as_text

PARTS = frozenset(
    {
        "few_shot", "retrieval", "rerank", "context", "tools", "output", "draft", "fallback",
        "route", "training",
    }
)  # fmt: skip
"""What differs as a whole where one side has none of it."""
_MAIN = frozenset({"kind", "from", "to", "policy", "parse", "model", "base_model"})
"""What says most of a part: its value stands without its name."""
_HASH = re.compile(r"(sha256:[0-9a-f]{8})[0-9a-f]+$")
_MAX_VALUE = 80
_MAX_PART = 120

USERS: dict[str, str] = {"retrieval": "passages", "few_shot": "shots"}
"""Parts that have an effect only through a template that names a variable, and that variable."""

_NAMED_HASH = re.compile(r".*\b(sha256:[0-9a-f]{12})", re.DOTALL)
_HASH_DIGITS = 12


def named_hash(name: str, sha256: str) -> str:
    """`user.j2 sha256:ab12cd34ef56`."""
    return f"{name} sha256:{sha256[:_HASH_DIGITS]}"


def names_word(text: str, word: str) -> bool:
    """Whether a template names a variable."""
    return re.search(rf"\b{re.escape(word)}\b", text) is not None


def content_of(value: JsonValue) -> JsonValue:
    """What a factor's value is compared by: of a named hash the hash, whatever the file's name."""
    match = _NAMED_HASH.fullmatch(value) if isinstance(value, str) else None
    return match[1] if match else value


def rows(
    table: Mapping[str, Mapping[str, JsonValue]], variants: Sequence[str]
) -> Iterator[tuple[str, dict[str, JsonValue]]]:
    """The rows of a factor table: name, and value by variant (absent where there is none).

    A part that some variant lacks is one row that sums it up.
    """
    yield from _rows(table, list(table), variants, 1)


def _rows(
    table: Mapping[str, Mapping[str, JsonValue]],
    names: Sequence[str],
    variants: Sequence[str],
    depth: int,
) -> Iterator[tuple[str, dict[str, JsonValue]]]:
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(".".join(name.split(".")[:depth]), []).append(name)
    for prefix, own in groups.items():
        having = [v for v in variants if any(v in table[name] for name in own)]
        if own == [prefix] or (len(own) == 1 and prefix not in PARTS and depth == 1):
            yield own[0], dict(table[own[0]])
        elif len(having) == len(variants) or (depth == 1 and prefix not in PARTS):
            yield from _rows(table, own, variants, depth + 1)
        else:
            yield from _summed_up(table, prefix, own, having)


def _summed_up(
    table: Mapping[str, Mapping[str, JsonValue]],
    part: str,
    names: Sequence[str],
    having: Sequence[str],
) -> Iterator[tuple[str, dict[str, JsonValue]]]:
    """One row for a part; where its text is cut, the values that differ follow."""
    own = {v: {n: table[n][v] for n in names if v in table[n]} for v in having}
    texts: dict[str, JsonValue] = {v: part_text(part, own[v]) for v in having}
    yield part, texts
    if len(set(texts.values())) < len({as_text(values) for values in own.values()}):
        for name in names:
            if len({as_text(own[v].get(name)) for v in having}) > 1:
                yield name, dict(table[name])


def part_text(part: str, factors: Mapping[str, JsonValue]) -> str:
    """A whole part in one line: `bm25, top_k 20, corpus docs sha256:12345678..`."""
    words = []
    for name, value in factors.items():
        inner = name.removeprefix(f"{part}.")
        text = short(value)
        words.append(text if inner in _MAIN or name == part else f"{inner} {text}")
    return _whole_words(words, _MAX_PART)


def _whole_words(words: Sequence[str], limit: int) -> str:
    """The words that there is room for, with commas; `...` in place of the others."""
    text, n = ", ".join(words), len(words)
    while len(text) > limit and n > 1:
        n -= 1
        text = ", ".join((*words[:n], "..."))
    return _cut(text, limit)


def short(value: JsonValue, limit: int = _MAX_VALUE) -> str:
    """A value in one line, long texts and hashes cut."""
    text = f"{value:g}" if isinstance(value, float) else as_text(value)
    text = " ".join(text.split())
    match = _HASH.search(text)
    if match:
        return f"{_cut(text[: match.start()], limit)}{match[1]}.."
    return _cut(text, limit)


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    kept = text[: limit - 3]
    space = kept.rfind(" ")
    return f"{kept[:space] if space > limit // 2 else kept}..."
