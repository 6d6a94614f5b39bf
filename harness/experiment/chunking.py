"""What chunking does to the gold evidence, and documents that do not belong in a corpus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from harness.config.suggest import listed
from harness.core.example import EvalSet
from harness.core.values import fingerprint
from harness.core.variant import Corpus, LiveVariant
from harness.errors import Problem
from harness.experiment.indexes import CorpusReader


@dataclass(slots=True)
class _Cut:
    """A corpus, cut one way, and the variants that search it so."""

    corpus: Corpus
    variants: dict[str, None] = field(default_factory=dict)


def corpus_warnings(
    variants: Iterable[LiveVariant], evalset: EvalSet, problems: list[Problem]
) -> Iterator[str]:
    """Gold sections that no chunk holds whole, and documents about style among the facts.

    A rule in one chunk and its exception in another cannot be found as one. A document of style
    that comes up as evidence changes behaviour that the prompt (or tuning) should decide. Each
    corpus is read once, and told of once for all variants that search it.

    Args:
        variants: the live variants.
        evalset: the set, whose evidence names documents and sections.
        problems: gets what cannot be read in a corpus.
    """
    from harness.corpus.review import style_documents

    reader = CorpusReader(problems)
    gold = list(dict.fromkeys(name for e in evalset.examples for name in e.evidence or ()))
    cuts = _cuts(variants)
    for cut in cuts:
        yield from _lost_evidence(cut, gold, reader)
    for corpus in {cut.corpus.sha256: cut.corpus for cut in cuts}.values():
        style = style_documents(reader.documents(corpus) or ())
        if style:
            yield (
                f"{_counted(len(style), 'document seems', 'documents seem')} to be about style, "
                f"not facts: {listed(style)}; what shapes behaviour belongs in the prompt or in "
                "tuning, not among evidence"
            )


def _cuts(variants: Iterable[LiveVariant]) -> list[_Cut]:
    """Every corpus and way of cutting it."""
    found: dict[str, _Cut] = {}
    for variant in (inner for outer in variants for inner in outer.variants()):
        corpus = variant.retrieval.corpus if variant.retrieval else None
        if corpus is not None:
            key = fingerprint([corpus.sha256, dict(corpus.chunk)])
            found.setdefault(key, _Cut(corpus)).variants[variant.id] = None
    return list(found.values())


def _lost_evidence(cut: _Cut, gold: Sequence[str], reader: CorpusReader) -> Iterator[str]:
    from harness.corpus.review import split_evidence

    chunks = reader.chunks(cut.corpus)
    if chunks is None:
        return
    found = split_evidence(chunks, gold)
    names = listed(cut.variants)
    if found.split:
        yield (
            f"{names}: chunking cuts {len(found.split)} of {len(gold)} gold sections, so that no "
            f"passage holds one whole: {listed(found.split)}"
        )
    if found.unknown:
        yield (
            f"{names}: {len(found.unknown)} of {len(gold)} gold evidence ids name nothing in the "
            f"corpus, so no retrieval finds them: {listed(found.unknown)}"
        )


def _counted(n: int, one: str, several: str) -> str:
    return f"1 {one}" if n == 1 else f"{n} {several}"
