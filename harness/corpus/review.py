"""What to look at before a corpus is searched: evidence that is cut, documents about style."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.core.passage import Chunk
from harness.core.values import JsonValue
from harness.corpus.document import Document

_WORD = re.compile(r"[a-z]+")
_STYLE = frozenset(
    {
        "behavior", "behaviors", "behaviour", "behaviours", "brand", "branding", "persona",
        "prompt", "prompts", "style", "styleguide", "styles", "tone", "voice",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class EvidenceReview:
    """Gold ids that need a look.

    `split` names sections that no single chunk holds whole: a rule may be found without its
    exception. `unknown` names what is no document, section or chunk.
    """

    split: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def split_evidence(chunks: Sequence[Chunk], gold_ids: Iterable[str]) -> EvidenceReview:
    """Which of the evidence that examples name a way of chunking cannot give in one piece.

    Gold ids name sections (`document#section`), documents or chunks. A whole document is never
    called split.
    """
    whole = {section for piece in chunks for section in piece.whole}
    sections = {section for piece in chunks for section in piece.sections}
    cut = sections - whole
    known = {piece.document for piece in chunks} | {piece.id for piece in chunks}
    gold = dict.fromkeys(gold_ids)
    return EvidenceReview(
        split=tuple(g for g in gold if "#" in g and g in cut),
        unknown=tuple(g for g in gold if g not in sections and g not in known),
    )


def style_documents(documents: Iterable[Document]) -> list[str]:
    """Ids of documents that are about style, tone or behaviour, by their ids, `kind` or `type`.

    How an answer sounds belongs in the prompt or the training set. A retriever that finds such
    documents gives them places that knowledge should have.
    """
    return [document.id for document in documents if _is_style(document)]


def _is_style(document: Document) -> bool:
    kinds = (document.metadata.get("kind"), document.metadata.get("type"))
    texts = [document.id, *(text for kind in kinds for text in _texts(kind))]
    return any(word in _STYLE for text in texts for word in _WORD.findall(text.lower()))


def _texts(value: JsonValue) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [item for item in values if isinstance(item, str)]
