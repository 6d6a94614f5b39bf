"""Hostile texts between lines that they cannot hold themselves.

Each text stands between two lines with a marker that is drawn for the request by a hash over the
texts themselves, so that no text can hold it but by chance; where one does, it is taken out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.core.example import Example
from harness.core.values import Absent, JsonValue, as_text, encodable, fingerprint

MAX_SHOWN_CHARS = 100_000
"""Of each text that a judge is shown; the rest is cut off, with a mark."""

_MARKER_CHARS = 20
_TITLES = {"input": "Request", "target": "Reference answer"}


def marker_of(seed: int, example: Example, *texts: str) -> str:
    """The same for the same request, so that answers can be kept; a text cannot hold its own."""
    return fingerprint([seed, example.id, *texts])[:_MARKER_CHARS]


def between(marker: str, title: str, text: str) -> str:
    """A text between its two lines, without the marker in it and not longer than may be shown."""
    if len(text) > MAX_SHOWN_CHARS:
        left_out = len(text) - MAX_SHOWN_CHARS
        text = f"{text[:MAX_SHOWN_CHARS]}\n[cut: {left_out} more characters]"
    clean = re.sub(re.escape(marker), "[removed]", encodable(text), flags=re.IGNORECASE)
    return f"BEGIN {title} {marker}\n{clean}\nEND {title} {marker}"


def parts_of(example: Example, show: Sequence[str]) -> list[tuple[str, str]]:
    """What is shown of an example, each with its title; what it does not have is left out."""
    found: list[tuple[str, JsonValue]] = []
    for path in show:
        value = example.look_up(path)
        if not isinstance(value, Absent) and value is not None:
            found.append((path, value))
    return [(_TITLES.get(path, path), as_text(value)) for path, value in found]
