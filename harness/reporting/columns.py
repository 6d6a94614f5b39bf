"""Plain text in columns, for terminals."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from unicodedata import combining, east_asian_width

WIDTH = 100
_MAX_CELL = 40


def more(hidden: int) -> list[str]:
    """A line that tells of rows left out, if there are any."""
    return [f"... and {hidden} more in the report"] if hidden > 0 else []


def wrapped(text: str, first: str = "", rest: str = "") -> list[str]:
    """Lines of at most `WIDTH` columns; `first` and `rest` begin the first and the others."""
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
    )


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    notes: Sequence[Sequence[str]] = (),
    widest: int = _MAX_CELL,
) -> list[str]:
    """Columns two spaces apart, as wide as what stands in them, a rule under the head.

    `notes` are lines under each row; a cell is cut at `widest` characters.
    """
    cells = [[_cut(cell, widest) for cell in line] for line in (heads, *rows)]
    widths = [max(_width(line[i]) for line in cells) for i in range(len(heads))]
    head, *body = ["  ".join(_padded(line, widths)).rstrip() for line in cells]
    lines = [head, "  ".join("-" * width for width in widths)]
    for place, line in enumerate(body):
        lines += [line, *(notes[place] if notes else ())]
    return lines


def _padded(line: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    for cell, width in zip(line, widths, strict=True):
        yield cell + " " * (width - _width(cell))


def _cut(text: str, widest: int) -> str:
    return text if len(text) <= widest else text[: widest - 1] + "…"


def _width(text: str) -> int:
    """Columns that a terminal gives the text: wide characters take two, combining ones none."""
    return sum(
        0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1
        for character in text
    )
