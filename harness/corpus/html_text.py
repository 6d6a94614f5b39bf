"""HTML turned into text with headings, in linear time.

The standard library's parser takes time that grows with the square of what is malformed (in Python
3.11, 26 seconds for 80 kB of `<a a=`), so tags are found by expressions that never look back. A tag
ends at its `>`; a `<` that begins none is text.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from harness.core.values import JsonValue
from harness.corpus.document import MAX_TITLE, Heading

_TAG = re.compile(
    r"<(?P<end>/?)(?P<name>[a-zA-Z][^\s/<>]*+)"
    r"(?P<attributes>(?:[^<>\"']++|\"[^\"<]*+\"|'[^'<]*+')*+)>"
    r"|<(?P<end2>/?)(?P<name2>[a-zA-Z][^\s/<>]*+)(?P<attributes2>[^<>]*+)>"
    r"|<(?P<comment>!--)|<[!?/][^<>]*+>"
)
_ATTRIBUTE = re.compile(r"([^\s=>\"'/]++)\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'>]++))")
_SPACE = re.compile(r"[ \t\r\n\f\v\u00a0]+")
_MAX_ATTRIBUTES = 10_000

_DROPPED = frozenset({"script", "style", "template", "noscript", "svg", "iframe", "textarea"})
_LINE = frozenset({"br", "li", "tr", "dt", "dd", "option", "summary", "figcaption", "caption"})
_BLOCK = frozenset(
    {
        "address", "article", "aside", "blockquote", "body", "details", "div", "dl", "fieldset",
        "figure", "footer", "form", "header", "hr", "main", "nav", "ol", "p", "pre", "section",
        "table", "tbody", "tfoot", "thead", "ul",
    }
)  # fmt: skip
_HEADING = {f"h{level}": level for level in range(1, 7)}


@dataclass(frozen=True, slots=True)
class HtmlText:
    """What an HTML page says: its text, its headings, its title and its `<meta>` values."""

    text: str
    headings: tuple[Heading, ...]
    title: str
    metadata: dict[str, JsonValue]


def html_text(source: str) -> HtmlText:
    """The text of a page; scripts, styles, comments and the like are left out.

    Blocks are set apart by an empty line, lines and rows by a line break, cells by ` | `.
    """
    page = _Page()
    at = 0
    while (tag := _TAG.search(source, at)) is not None:
        page.data(source[at : tag.start()])
        at = tag.end()
        name = (tag["name"] or tag["name2"] or "").lower()
        if tag["comment"]:
            at = _after(source, "-->", at)
        elif tag["end"] or tag["end2"]:
            page.end(name)
        elif name in _DROPPED or (name == "title" and not page.headings):
            inside_from, at = at, _closing(source, name, at)
            page.dropped(name, source[inside_from:at])
        elif name:
            page.start(name, tag["attributes"] or tag["attributes2"] or "")
    page.data(source[at:])
    return page.finished()


class _Page:
    """The text so far, and the headings in it."""

    def __init__(self) -> None:
        self.headings: list[Heading] = []
        self._title = ""
        self._metadata: dict[str, JsonValue] = {}
        self._parts: list[str] = []
        self._length = 0
        self._breaks = 0  # line breaks owed before the next text
        self._space = False  # a space owed, unless a line break comes first
        self._pre = 0
        self._open: tuple[int, int, int] | None = None  # level, offset and part of a heading

    def data(self, raw: str) -> None:
        """Text between tags."""
        text = html.unescape(raw)
        if self._pre:
            return self._add(text) if text else None
        words = _SPACE.sub(" ", text)
        if words.startswith(" "):
            self._space = True
        if words := words.strip(" "):
            self._add(words)
            self._space = text[-1].isspace()
        return None

    def start(self, name: str, attributes: str) -> None:
        """A start tag."""
        if name in _HEADING:
            self._close_heading()
            self._break(2)
            self._open = (_HEADING[name], self._length, len(self._parts))
        elif name in {"td", "th"}:
            if self._parts and not self._breaks:
                self._add(" | ")
                self._space = False
        elif name == "meta":
            self._meta(attributes)
        else:
            self._pre += name == "pre"
            self._break_for(name)

    def end(self, name: str) -> None:
        """An end tag."""
        if name in _HEADING:
            self._close_heading()
            self._break(2)
        else:
            self._pre = max(0, self._pre - (name == "pre"))
            self._break_for(name)

    def dropped(self, name: str, inside: str) -> None:
        """An element whose content is no text of the page."""
        if name == "title" and not self._title:
            self._title = " ".join(html.unescape(inside[: MAX_TITLE * 10]).split())[:MAX_TITLE]

    def finished(self) -> HtmlText:
        """The whole."""
        self._close_heading()
        text = "".join(self._parts)
        return HtmlText(text, tuple(self.headings), self._title, self._metadata)

    def _break_for(self, name: str) -> None:
        if name in _BLOCK:
            self._break(2)
        elif name in _LINE:
            self._break(1)

    def _break(self, lines: int) -> None:
        self._breaks = max(self._breaks, lines)

    def _flush(self) -> None:
        """Write the line breaks, or the space, that are owed."""
        owed = "\n" * self._breaks if self._breaks else " " * self._space
        self._breaks, self._space = 0, False
        if self._parts and owed:
            self._parts.append(owed)
            self._length += len(owed)

    def _add(self, text: str) -> None:
        self._flush()
        self._parts.append(text)
        self._length += len(text)

    def _close_heading(self) -> None:
        if self._open is None:
            return
        level, start, part = self._open
        self._open = None
        written = "".join(self._parts[part:])
        if title := " ".join(written.split()):
            start += len(written) - len(written.lstrip())  # the line breaks that were owed
            self.headings.append(Heading(level, title[:MAX_TITLE], start, self._length))

    def _meta(self, attributes: str) -> None:
        found = {
            match[1].lower(): html.unescape(match[2] or match[3] or match[4] or "")
            for match in _ATTRIBUTE.finditer(attributes[:_MAX_ATTRIBUTES])
        }
        if found.get("name") and "content" in found:
            self._metadata[found["name"]] = found["content"]


def _after(source: str, mark: str, at: int) -> int:
    found = source.find(mark, at)
    return len(source) if found < 0 else found + len(mark)


def _closing(source: str, name: str, at: int) -> int:
    """Where the end tag of an element begins; the end of the page if there is none."""
    found = re.compile(f"</{name}(?=[\\s/>])", re.IGNORECASE).search(source, at)
    return len(source) if found is None else found.start()
