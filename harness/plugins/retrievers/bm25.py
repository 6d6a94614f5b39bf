"""BM25 over words, as Lucene computes it (Robertson and Zaragoza 2009), by bm25s."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from harness.core.options import Number
from harness.core.passage import Chunk, Query, Ranking
from harness.core.values import JsonValue, fingerprint
from harness.plugins.search.index_cache import cached, keep
from harness.plugins.search.passage_index import PassageIndex
from harness.plugins.search.words import WORDS, words

if TYPE_CHECKING:
    import bm25s

MAX_QUERY_WORDS = 4096


class Bm25(BaseModel):
    """Finds chunks by the words that they share with the query.

    The score of a chunk is the sum, over the words of the query, of
    `ln(1 + (N - n + 0.5) / (n + 0.5)) * f / (f + k1 * (1 - b + b * length / mean length))`, where
    `n` of `N` chunks hold the word, and this chunk `f` times. Chunks without any are not found.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    k1: Annotated[Number, Field(ge=0, le=100)] = Field(
        default=1.2, description="How much a word's second and further occurrences count."
    )
    b: Annotated[Number, Field(ge=0, le=1)] = Field(
        default=0.75, description="How much longer chunks are marked down; 0 is not at all."
    )

    _index: PassageIndex = PrivateAttr(default_factory=lambda: PassageIndex(()))
    _ranker: Ranker | None = PrivateAttr(default=None)

    @property
    def needs_corpus(self) -> bool:
        """It searches chunks that harness makes."""
        return True

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """The library's version, and what a word is."""
        from importlib.metadata import version

        return {"bm25s": version("bm25s"), "words": WORDS}

    async def open(self, chunks: Sequence[Chunk], cache: Path) -> None:
        """Build the index, or load it from the folder `cache`."""
        await asyncio.to_thread(self._open, chunks, cache)

    async def retrieve(self, query: Query) -> Ranking:
        """The best chunks with a score above 0; of a long query, the first 4096 words count."""
        return await asyncio.to_thread(self._retrieve, query)

    async def close(self) -> None:
        """Nothing is held open."""

    def _open(self, chunks: Sequence[Chunk], cache: Path) -> None:
        index = PassageIndex(chunks)
        key = fingerprint([index.sha256, self.k1, self.b, dict(self.identity)])
        name = f"bm25-{key[:32]}"
        ranker = cached(cache, name, lambda entry: _load(entry, len(index.chunks)))
        if ranker is None:
            ranker = ranker_of(index.texts, self.k1, self.b)
            keep(cache, name, ranker.save)
        self._index, self._ranker = index, ranker

    def _retrieve(self, query: Query) -> Ranking:
        if self._ranker is None:
            return Ranking(())
        scores = self._ranker.scores(words(query.text)[:MAX_QUERY_WORDS])
        return Ranking(self._index.best(scores, query.limit, query.where, above=0.0))


class Ranker(NamedTuple):
    """An index of chunks, None where they hold no word at all."""

    bm25: bm25s.BM25 | None
    n_chunks: int

    def scores(self, query: list[str]) -> NDArray[np.float32]:
        """The score of every chunk."""
        known = self.bm25.get_tokens_ids(query) if self.bm25 else []
        if not self.bm25 or not known:
            return np.zeros(self.n_chunks, np.float32)
        return np.asarray(self.bm25.get_scores_from_ids(known), np.float32)

    def save(self, entry: Path) -> None:
        """Write the index; the chunks' texts are not in it."""
        if self.bm25:
            self.bm25.save(entry, allow_pickle=False, show_progress=False)


def ranker_of(texts: Sequence[str], k1: float = 1.2, b: float = 0.75) -> Ranker:
    """An index of texts."""
    import bm25s

    vocabulary: dict[str, int] = {}
    rows = [
        [vocabulary.setdefault(word, len(vocabulary)) for word in words(text)] for text in texts
    ]
    if not vocabulary:
        return Ranker(None, len(texts))
    bm25 = bm25s.BM25(k1=k1, b=b, method="lucene", backend="numpy")
    bm25.index((rows, vocabulary), create_empty_token=False, show_progress=False)
    return Ranker(bm25, len(texts))


def _load(entry: Path, n_chunks: int) -> Ranker:
    import bm25s

    bm25 = bm25s.BM25.load(entry, allow_pickle=False, show_progress=False)
    if bm25.scores["num_docs"] != n_chunks:
        raise ValueError("the index is of other chunks")
    return Ranker(bm25, n_chunks)
