"""The sections of a document: from one heading to the next."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from harness.corpus.document import Document, Heading

_MAX_SLUG = 100
_NO_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Section:
    """`text[start:end]` of a document, from a heading to the next one of any level, trimmed.

    `id` is `document#slug`, or the document's own id for what stands before the first heading.
    `headings` leads to the section, its own heading last; the document's title is first, unless
    the first heading repeats it. `body` is where the heading ends.
    """

    id: str
    start: int
    body: int
    end: int
    headings: tuple[str, ...]


def sections(document: Document) -> list[Section]:
    """The sections in order; blank ones, and headings with only lower ones below, are left out."""
    text, found = document.text, []
    for identifier, heading, following, path in _walk(document):
        start = heading.start if heading else 0
        body = heading.end if heading else 0
        end = following.start if following else len(text)
        start, end = _trimmed(text, start, end)
        has_lower = bool(heading and following and following.level > heading.level)
        if start < end and not (has_lower and not text[body:end].strip()):
            found.append(Section(identifier, start, min(body, end), end, path))
    return found


def slug(title: str) -> str:
    """A heading as part of an id: letters and digits in lower case, `-` for all between."""
    return _NO_WORD.sub("-", title.lower())[:_MAX_SLUG].strip("-") or "section"


def _walk(
    document: Document,
) -> Iterator[tuple[str, Heading | None, Heading | None, tuple[str, ...]]]:
    """For every section its id, its heading, the next heading and the path of headings."""
    headings = document.headings
    top = (document.title,) if document.title else ()
    yield document.id, None, headings[0] if headings else None, top
    used: set[str] = set()
    counts: dict[str, int] = {}
    above: list[Heading] = []
    for heading, following in zip_longest(headings, headings[1:]):
        while above and above[-1].level >= heading.level:
            above.pop()
        above.append(heading)
        path = tuple(one.title for one in above)
        name = _unused(slug(heading.title), used, counts)
        lead = () if path[:1] == top else top
        yield f"{document.id}#{name}", heading, following, (*lead, *path)


def _unused(name: str, used: set[str], counts: dict[str, int]) -> str:
    """`name`, or `name-2`, `name-3` ... if it is taken; marks it as used."""
    found = name
    while found in used:
        counts[name] = counts.get(name, 1) + 1
        found = f"{name}-{counts[name]}"
    used.add(found)
    return found


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """The span without the white space at its ends."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
