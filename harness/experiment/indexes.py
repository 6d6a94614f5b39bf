"""Opens retrievers: reads and cuts the documents, and finds or makes the index in the cache."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.chat import ServiceError
from harness.core.passage import Chunk
from harness.core.values import fingerprint
from harness.core.variant import Corpus, LiveVariant
from harness.errors import InputError, Problem
from harness.experiment.components import Components
from harness.experiment.readiness import not_opened

if TYPE_CHECKING:
    from harness.corpus.document import Document


def cache_root() -> Path:
    """Where indexes are kept between runs: `$HARNESS_CACHE`, else the user's cache folder."""
    own = os.environ.get("HARNESS_CACHE")
    if own:
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "harness"


async def open_retrievers(
    variants: Sequence[LiveVariant], used: Components, problems: list[Problem]
) -> None:
    """Make every retriever ready; what cannot be read or reached is added to `problems`.

    A retriever has a folder of the cache to itself, named by `Retrieval.key`: another content,
    way of chunking or option means another folder.
    """
    corpora = CorpusReader(problems)
    for key, retriever in used.retrievers.items():
        corpus = used.retrievals[key].corpus
        chunks: list[Chunk] | None = []
        if corpus is not None and retriever.needs_corpus:
            chunks = corpora.chunks(corpus)
        if chunks is None:
            continue  # what is wrong with the corpus is told
        try:
            await retriever.open(chunks, cache_root() / "index" / key)
        except ServiceError as error:
            problems.append(not_opened(variants, "retriever", key, error))


class CorpusReader:
    """Documents and chunks of corpora, each read once however many retrievals share them."""

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems
        self._documents: dict[str, list[Document] | None] = {}
        self._chunks: dict[str, list[Chunk] | None] = {}

    def documents(self, corpus: Corpus) -> list[Document] | None:
        """The documents of a corpus; None if any cannot be read, which is told once."""
        from harness.corpus.documents import read_documents

        if corpus.sha256 not in self._documents:
            self._documents[corpus.sha256] = None
            try:
                self._documents[corpus.sha256] = list(read_documents(Path(corpus.folder)))
            except InputError as error:
                self._problems += error.problems
        return self._documents[corpus.sha256]

    def chunks(self, corpus: Corpus) -> list[Chunk] | None:
        """The chunks of a corpus, cut as it says; None as for `documents`."""
        from harness.corpus.chunks import chunk

        key = fingerprint([corpus.sha256, dict(corpus.chunk)])
        if key not in self._chunks:
            documents = self.documents(corpus)
            self._chunks[key] = None if documents is None else chunk(documents, corpus.chunk)
        return self._chunks[key]
