"""Opens retrievers: reads and cuts the documents, and finds or makes the index in the cache."""

from __future__ import annotations

import os
from pathlib import Path

from harness.core.chat import ServiceError
from harness.core.passage import Chunk
from harness.core.values import fingerprint
from harness.core.variant import Corpus, Retrieval
from harness.errors import InputError, Problem
from harness.experiment.components import Components


def cache_root() -> Path:
    """Where indexes are kept between runs: `$HARNESS_CACHE`, else the user's cache folder."""
    own = os.environ.get("HARNESS_CACHE")
    if own:
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "harness"


async def open_retrievers(found: Components, problems: list[Problem]) -> None:
    """Make every retriever ready; what cannot be read or reached is added to `problems`."""
    chunks = CorpusReader(problems)
    for key, retriever in found.retrievers.items():
        retrieval = found.retrievals[key]
        own = chunks.read(retrieval.corpus) if retriever.needs_corpus and retrieval.corpus else []
        try:
            await retriever.open(own, cache_root() / "index" / _index_key(retrieval))
        except ServiceError as error:
            what = f"the retriever {retrieval.retriever.use} cannot be opened: {error.message}"
            problems.append(Problem(retrieval.retriever.where(), what))


class CorpusReader:
    """Chunks of corpora, each read once however many retrievals share it."""

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems
        self._read: dict[str, list[Chunk]] = {}

    def read(self, corpus: Corpus) -> list[Chunk]:
        """The chunks of a corpus; what is wrong with its documents is told."""
        from harness.corpus.chunks import chunk
        from harness.corpus.documents import read_documents

        key = fingerprint([corpus.folder, corpus.sha256, dict(corpus.chunk)])
        if key not in self._read:
            self._read[key] = []
            try:
                documents = list(read_documents(Path(corpus.folder)))
                self._read[key] = chunk(documents, corpus.chunk)
            except InputError as error:
                self._problems += error.problems
        return self._read[key]


def _index_key(retrieval: Retrieval) -> str:
    """The same for retrievals over the same content, cut alike, with the same options."""
    corpus = retrieval.corpus and [retrieval.corpus.sha256, dict(retrieval.corpus.chunk)]
    retriever = retrieval.retriever
    return fingerprint([retriever.use, dict(retriever.options), retriever.folder, corpus])
