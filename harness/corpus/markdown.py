"""The headings of a Markdown text, as CommonMark defines them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from harness.corpus.document import MAX_TITLE, Heading

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

MAX_PARSED = 1_000_000
"""Characters; a longer text is only scanned: a parser may need 20 s and 250 MB for each MB."""

_MAX_SOURCE = 1000  # characters of a heading's source that are read
_LIKE_A_HEADING = re.compile(r"^ {0,3}(?:#{1,6}(?:[ \t]|$)|(?:=+|-+)[ \t]*$)", re.MULTILINE)
_MARKUP = re.compile(r"[*_`\[\]<&\\]")
_TITLE_PARTS = ("text", "text_special", "code_inline", "image")
_SCANNED = re.compile(
    r"^ {0,3}(?:(?P<level>#{1,6})(?:[ \t]+(?P<title>[^\n]*))?$"
    r"|(?:(?:[-*+]|[0-9]{1,9}[.)])[ \t]+)?(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)$)",
    re.MULTILINE,
)


def markdown_headings(text: str) -> tuple[Heading, ...]:
    """Every heading that is in no list, quotation or code.

    Of a text of more than 1 MB, those that begin with `#` and are in no fenced code.
    """
    if len(text) > MAX_PARSED:
        return tuple(_scanned(text))
    if _LIKE_A_HEADING.search(text) is None:
        return ()
    return tuple(_parsed(text))


def _parsed(text: str) -> Iterator[Heading]:
    tokens = _blocks().parse(text)
    lines = [0, *(match.end() for match in re.finditer("\n", text)), len(text)]
    for token, inline in pairwise(tokens):
        if token.type == "heading_open" and token.level == 0 and token.map:
            first, after = token.map
            yield Heading(int(token.tag[1]), _title(inline.content), lines[first], lines[after])


def _scanned(text: str) -> Iterator[Heading]:
    fence = ""
    for match in _SCANNED.finditer(text):
        mark = match["fence"]
        if mark and not fence:
            fence = mark
        elif mark and mark.startswith(fence) and not match["info"].strip():
            fence = ""
        elif not mark and not fence:
            title = re.sub(r"(?:^|[ \t]+)#+$", "", (match["title"] or "")[:_MAX_SOURCE].strip())
            end = min(match.end() + 1, len(text))
            yield Heading(len(match["level"]), _title(title), match.start(), end)


def _title(source: str) -> str:
    """A heading's text without its markup."""
    source = source[:_MAX_SOURCE]
    if _MARKUP.search(source):
        (line,) = _inline().parseInline(source)
        source = "".join(
            part.content if part.type in _TITLE_PARTS else " " * part.type.endswith("break")
            for part in line.children or ()
        )
    return " ".join(source.split())[:MAX_TITLE]


@cache
def _blocks() -> MarkdownIt:
    """A parser of blocks alone. Link definitions take more than linear time, and are no heading."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").disable(["inline", "reference"])


@cache
def _inline() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark")
