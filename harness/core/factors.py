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
_MAX_PART = 160

_NAMED_HASH = re.compile(r".*\b(sha256:[0-9a-f]{12})", re.DOTALL)
_HASH_DIGITS = 12


def named_hash(name: str, sha256: str) -> str:
    """`user.j2 sha256:ab12cd34ef56`."""
    return f"{name} sha256:{sha256[:_HASH_DIGITS]}"


def content_of(value: JsonValue) -> JsonValue:
    """What a factor's value is compared by: of a named hash the hash, whatever the file's name."""
    match = _NAMED_HASH.fullmatch(value) if isinstance(value, str) else None
    return match[1] if match else value


def rows(
    table: Mapping[str, Mapping[str, JsonValue]], variants: Sequence[str]
) -> Iterator[tuple[str, dict[str, JsonValue]]]:
    """The rows of a factor table: name, and value by variant (absent where there is none).

    A part that some variant lacks is one row that sums it up; values in which those that have it
    differ follow.
    """
    told: set[str] = set()
    for name, values in table.items():
        part = name.partition(".")[0]
        names = [other for other in table if other.partition(".")[0] == part]
        having = [v for v in variants if any(v in table[other] for other in names)]
        if part not in PARTS or len(having) == len(variants):
            yield name, dict(values)
        elif part not in told:
            told.add(part)
            own = {v: {n: table[n][v] for n in names if v in table[n]} for v in having}
            yield part, {v: part_text(part, own[v]) for v in having}
            for other in names:
                if other != part and len({as_text(own[v].get(other)) for v in having}) > 1:
                    yield other, dict(table[other])


def part_text(part: str, factors: Mapping[str, JsonValue]) -> str:
    """A whole part in one line: `bm25, top_k 20, corpus docs sha256:12345678..`."""
    words = []
    for name, value in factors.items():
        inner = name.removeprefix(f"{part}.")
        text = short(value)
        words.append(text if inner in _MAIN or name == part else f"{inner} {text}")
    return _cut(", ".join(words), _MAX_PART)


def short(value: JsonValue, limit: int = _MAX_VALUE) -> str:
    """A value in one line, long texts and hashes cut."""
    text = f"{value:g}" if isinstance(value, float) else as_text(value)
    text = " ".join(text.split())
    match = _HASH.search(text)
    if match:
        return f"{_cut(text[: match.start()], limit)}{match[1]}.."
    return _cut(text, limit)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
