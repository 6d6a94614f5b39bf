"""A document of a corpus: its text, where its headings are, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.core.values import JsonValue

MAX_TITLE = 300
"""Characters of a heading; the rest of a longer one is in the text only."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: `level` 1 is the highest. It takes up `text[start:end]` of its document."""

    level: int
    title: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Document:
    """One document. `headings` are in the order of the text; `file` is the path in the corpus."""

    id: str
    text: str
    title: str = ""
    headings: tuple[Heading, ...] = ()
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)
    file: str = ""
