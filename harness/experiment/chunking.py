"""What chunking does to the gold evidence, and documents that do not belong in a corpus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.config.suggest import listed
from harness.core.example import EvalSet
from harness.core.variant import LiveVariant
from harness.errors import Problem
from harness.experiment.indexes import CorpusReader


def corpus_warnings(
    variants: Iterable[LiveVariant], evalset: EvalSet, problems: list[Problem]
) -> Iterator[str]:
    """Gold sections that no chunk holds whole, and documents about style among the facts.

    A rule in one chunk and its exception in another cannot be found as one. A document of style
    that comes up as evidence changes behaviour that the prompt (or tuning) should decide.

    Args:
        variants: the live variants.
        evalset: the set, whose evidence names documents and sections.
        problems: gets what cannot be read in a corpus.
    """
    from harness.corpus.documents import read_documents
    from harness.corpus.review import split_evidence, style_documents

    reader = CorpusReader(problems)
    gold = {name for example in evalset.examples for name in example.evidence or ()}
    folders: dict[str, None] = {}
    for variant in (inner for outer in variants for inner in outer.variants()):
        corpus = variant.retrieval.corpus if variant.retrieval else None
        if corpus is None:
            continue
        folders[corpus.folder] = None
        found = split_evidence(reader.read(corpus), gold)
        if found.split:
            yield (
                f"{variant.id}: chunking cuts {len(found.split)} of {len(gold)} gold sections, so "
                f"that no passage holds one whole: {listed(found.split)}"
            )
        if found.unknown:
            yield (
                f"{variant.id}: {len(found.unknown)} of {len(gold)} gold evidence ids name nothing "
                f"in the corpus, so no retrieval finds them: {listed(found.unknown)}"
            )
    for folder in folders:
        style = style_documents(read_documents(Path(folder)))
        if style:
            yield (
                f"{len(style)} documents seem to be about style, not facts: {listed(style)}; "
                "what shapes behaviour belongs in the prompt or in tuning, not among evidence"
            )
