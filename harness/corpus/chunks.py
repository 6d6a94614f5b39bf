"""Documents cut into chunks: by section, with the path of headings, or every so many tokens."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.core.passage import Chunk
from harness.core.values import JsonValue
from harness.corpus.document import Document
from harness.corpus.sections import Section, sections
from harness.corpus.tokens import token_starts

DEFAULT_MAX_TOKENS = 512
MIN_MAX_TOKENS = 16

_PARAGRAPH = re.compile(r"\n[ \t]*\n\s*")
_SENTENCE = re.compile(r"[.!?][\"')\]]*\s+|[。！？]\s*|\n")  # noqa: RUF001 - marks of East Asian texts
_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"\S")


@dataclass(frozen=True, slots=True)
class ChunkOptions:
    """How documents are cut (the keys of `chunk` in a variant)."""

    by: Literal["section", "fixed"] = "section"
    max_tokens: int = DEFAULT_MAX_TOKENS
    overlap_tokens: int = 0


def chunk(documents: Iterable[Document], chunk_options: Mapping[str, JsonValue]) -> list[Chunk]:
    """The chunks of all documents, in order.

    `by: section` gives a chunk for every section; one of more than `max_tokens` is cut at
    paragraphs, a paragraph that is longer at sentences, and a longer sentence at a space or where
    it must be. `by: fixed` gives a chunk for every `max_tokens` tokens of a document, each after
    `overlap_tokens` of the one before. A token belongs to the chunk in which it begins.

    Raises:
        ValueError: listing what is wrong with the options.
    """
    if problems := chunk_problems(chunk_options):
        raise ValueError("; ".join(problems))
    options = ChunkOptions(**chunk_options)
    cut = _by_section if options.by == "section" else _fixed
    return [piece for document in documents for piece in cut(document, options)]


def chunk_problems(chunk_options: Mapping[str, JsonValue]) -> list[str]:
    """What is wrong with the options, each as a sentence."""
    unknown = chunk_options.keys() - set(ChunkOptions.__dataclass_fields__)
    if unknown:
        return [f"chunk has no option '{name}'" for name in sorted(unknown)]
    options = ChunkOptions(**chunk_options)
    problems = []
    if options.by not in {"section", "fixed"}:
        problems.append(f"chunk.by is section or fixed, not '{options.by}'")
    if options.max_tokens < MIN_MAX_TOKENS:
        problems.append(f"chunk.max_tokens must be at least {MIN_MAX_TOKENS}")
    if options.by == "section" and options.overlap_tokens:
        problems.append("chunk.overlap_tokens is for `by: fixed`; sections do not overlap")
    elif not 0 <= options.overlap_tokens <= options.max_tokens // 2:
        problems.append("chunk.overlap_tokens must be at most half of chunk.max_tokens")
    return problems


def _by_section(document: Document, options: ChunkOptions) -> Iterator[Chunk]:
    for section in sections(document):
        spans = list(_pieces(document.text, section, options.max_tokens))
        whole = (section.id,) if len(spans) == 1 else ()
        for number, (start, end) in enumerate(spans, start=1):
            yield Chunk(
                id=section.id if number == 1 else f"{section.id}~{number}",
                document=document.id,
                text=document.text[start:end],
                headings=section.headings,
                sections=(section.id,),
                whole=whole,
                metadata=document.metadata,
            )


def _fixed(document: Document, options: ChunkOptions) -> Iterator[Chunk]:
    text, every = document.text, sections(document)
    starts = token_starts(text)
    step = options.max_tokens - options.overlap_tokens
    begins, ends = [one.start for one in every], [one.end for one in every]
    for number, first in enumerate(range(0, len(starts), step)):
        last = first + options.max_tokens
        start = int(starts[first]) if first else 0
        end = int(starts[last]) if last < len(starts) else len(text)
        touched = every[bisect_right(ends, start) : bisect_left(begins, end)]
        if text[start:end].strip():
            yield Chunk(
                id=f"{document.id}@{number}",
                document=document.id,
                text=text[start:end].strip(),
                sections=tuple(one.id for one in touched),
                whole=tuple(o.id for o in touched if start <= o.start and o.end <= end),
                metadata=document.metadata,
            )
        if last >= len(starts):
            return


def _pieces(text: str, section: Section, max_tokens: int) -> Iterator[tuple[int, int]]:
    """The spans of a section's pieces, without white space at their ends."""
    inside = text[section.start : section.end]
    if len(inside) <= max_tokens and len(inside.encode()) <= max_tokens:
        yield section.start, section.end  # a token is a byte at least
        return
    starts = token_starts(inside)
    at, floor = 0, section.body - section.start
    while at < len(inside):
        last = int(np.searchsorted(starts, at)) + max_tokens
        end = len(inside)
        if last < len(starts):
            limit = max(int(starts[last]), at + 1)
            end = _boundary(inside, max(at, floor), limit) or limit
        piece = inside[at:end]
        blank = len(piece) - len(piece.lstrip())
        if blank < len(piece):
            yield section.start + at + blank, section.start + at + len(piece.rstrip())
        at = end


def _boundary(text: str, start: int, limit: int) -> int | None:
    """The last place in (start, limit] where a paragraph, else a sentence, else a word ends."""
    first = next((match.start() for match in _WORD.finditer(text, start, limit)), limit)
    for pattern in (_PARAGRAPH, _SENTENCE, _SPACE):
        ends = [match.end() for match in pattern.finditer(text, start, limit)]
        if ends and ends[-1] > first:
            return ends[-1]
    return None
