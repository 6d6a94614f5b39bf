"""Plain text in columns, for terminals."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from unicodedata import combining, east_asian_width

WIDTH = 100
_MAX_CELL = 40
_BREAKS = re.compile(r"(?<=[,/_])|(?<=\.)(?=[A-Za-z])")
"""Where a word that is longer than a line may go on in the next one."""


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

    `notes` are lines under each row; a cell longer than `widest` loses its middle.
    """
    cells = [[shortened(cell, widest) for cell in line] for line in (heads, *rows)]
    widths = [max(_width(line[i]) for line in cells) for i in range(len(heads))]
    head, *body = ["  ".join(_padded(line, widths)).rstrip() for line in cells]
    lines = [head, "  ".join("-" * width for width in widths)]
    for place, line in enumerate(body):
        lines += [line, *(notes[place] if notes else ())]
    return lines


def tables(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    notes: Sequence[Sequence[str]] = (),
    widest: int = _MAX_CELL,
) -> list[str]:
    """As `table`; what is wider than `WIDTH` goes on below, with the first column again.

    The notes stand under the rows of the last part.
    """
    lines = [heads, *rows]
    widths = [max(_width(shortened(line[i], widest)) for line in lines) for i in range(len(heads))]
    parts: list[list[int]] = [[]]
    for column, width in enumerate(widths[1:], start=1):
        taken = widths[0] + sum(widths[i] + 2 for i in parts[-1])
        if parts[-1] and taken + 2 + width > WIDTH:
            parts.append([])
        parts[-1].append(column)
    result: list[str] = []
    for part in parts:
        shown = [[line[0], *(line[i] for i in part)] for line in lines]
        result += [""] if result else []
        result += table(shown[0], shown[1:], notes if part is parts[-1] else (), widest)
    return result


def stacked(rows: Sequence[Sequence[Sequence[str]]], widths: Sequence[int]) -> list[str]:
    """Rows whose cells are of several lines."""
    lines = []
    for cells in rows:
        for place in range(max(map(len, cells))):
            line = [cell[place] if place < len(cell) else "" for cell in cells]
            lines.append("  ".join(_padded(line, widths)).rstrip())
    return lines


def folded(text: str, width: int, most_lines: int | None = None) -> list[str]:
    """`text` in lines of at most `width` characters; an ellipsis ends what is left out.

    Lines end at spaces; only what is longer than a line goes on elsewhere.
    """
    lines = [""]
    for word in re.findall(r"\S+\s*", text):
        fits = len(word.rstrip()) <= width
        for piece in [word] if fits else _BREAKS.split(word):
            if len((lines[-1] + piece).rstrip()) <= width:
                lines[-1] += piece
            else:
                body = piece.rstrip()
                lines += [body[start : start + width] for start in range(0, len(body), width)]
                lines[-1] += piece[len(body) :]
    lines = [line.rstrip() for line in lines if line] or [""]
    if most_lines is None or len(lines) <= most_lines:
        return lines
    last = lines[most_lines - 1][: width - 1].rstrip(",. ")
    return [*lines[: most_lines - 1], f"{last}…"]


def shortened(text: str, widest: int, tail: float = 0.5) -> str:
    """A long text without its middle: names and values often differ at their end only.

    `tail` is the part of the room that is given to the end.
    """
    if len(text) <= widest:
        return text
    end = int(widest * tail)
    return f"{text[: widest - end - 1]}…{text[-end:]}"


def told_apart(names: Sequence[str], widest: int) -> dict[str, str]:
    """Every name, shortened to `widest` or to as much more as it takes for none to look alike.

    Most room goes to the end: in `run-id:variant` what runs begin with is the day.
    """
    different = set(names)
    for width in range(widest, max(map(len, different), default=0) + 1):
        short = {name: shortened(name, width, tail=0.75) for name in different}
        if len(set(short.values())) == len(different):
            return short
    return {name: name for name in different}


def _padded(line: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    for cell, width in zip(line, widths, strict=True):
        yield cell + " " * (width - _width(cell))


def _width(text: str) -> int:
    """Columns that a terminal gives the text: wide characters take two, combining ones none."""
    return sum(
        0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1
        for character in text
    )
