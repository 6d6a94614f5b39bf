"""Exact search among the vectors of all chunks: nothing is approximated, so no noise is added."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Annotated, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from harness.core.chat import ServiceError
from harness.core.passage import Chunk, Query, Ranking
from harness.core.values import JsonValue, fingerprint
from harness.plugins.embedders.http import Http
from harness.plugins.embedders.local import Local
from harness.plugins.embedding import load
from harness.plugins.search.index_cache import cached, keep
from harness.plugins.search.passage_index import PassageIndex

AnyEmbedder: TypeAlias = Annotated[Local | Http, Field(discriminator="kind")]
Vectors: TypeAlias = NDArray[np.float32]

_BLOCK = 512  # chunks; what was embedded before an endpoint failed is kept
_DIGITS = 6  # float32 holds no more; differences below come from the order of additions
_FILE = "vectors.npy"


class Dense(BaseModel):
    """Finds the chunks whose vectors are nearest to the query's, by cosine similarity."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    embedder: AnyEmbedder = Field(
        description="What makes vectors: {kind: local, model: FOLDER} or "
        "{kind: http, base_url: ..., model: ...}."
    )
    query_prefix: Annotated[str, Field(max_length=1000)] = Field(
        default="", description="Put before every query, where the model was trained so (e5)."
    )
    document_prefix: Annotated[str, Field(max_length=1000)] = Field(
        default="", description="Put before every chunk."
    )

    _index: PassageIndex = PrivateAttr(default_factory=lambda: PassageIndex(()))
    _vectors: Vectors = PrivateAttr(default_factory=lambda: np.zeros((0, 0), np.float32))

    @property
    def needs_corpus(self) -> bool:
        """It searches chunks that harness makes."""
        return True

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """What makes the vectors."""
        return {"embedder": dict(self.embedder.identity)}

    async def open(self, chunks: Sequence[Chunk], cache: Path) -> None:
        """Embed all chunks, or load their vectors from the folder `cache`, block by block.

        Raises:
            ServiceError: if the embedder fails; what it gave before is in the cache.
        """
        index = await asyncio.to_thread(PassageIndex, chunks)
        texts = [self.document_prefix + text for text in index.texts]
        blocks = [
            await self._block(texts[start : start + _BLOCK], cache)
            for start in range(0, len(texts), _BLOCK)
        ]
        if len({block.shape[1] for block in blocks}) > 1:
            raise ServiceError("malformed", "the vectors of the chunks are not of one length")
        self._vectors = np.vstack(blocks) if blocks else np.zeros((0, 0), np.float32)
        self._index = index
        await load(self.embedder)

    async def retrieve(self, query: Query) -> Ranking:
        """The nearest chunks; none for a blank query.

        Raises:
            ServiceError: if the embedder fails.
        """
        if not query.text.strip() or not len(self._vectors):
            return Ranking(())
        started = perf_counter()
        vectors, cost_usd = await self.embedder.embed([self.query_prefix + query.text])
        embed_s = perf_counter() - started
        if vectors.shape != (1, self._vectors.shape[1]):
            raise ServiceError("malformed", "the query's vector is not as long as the chunks'")
        return await asyncio.to_thread(self._ranked, vectors[0], query, cost_usd, embed_s)

    async def close(self) -> None:
        """Let go of the embedder's connections."""
        await self.embedder.close()

    def _ranked(
        self, vector: NDArray[np.float64], query: Query, cost_usd: float | None, embed_s: float
    ) -> Ranking:
        scores = np.round(self._vectors @ vector.astype(np.float32), _DIGITS)
        found = self._index.best(scores, query.limit, query.where)
        return Ranking(found, cost_usd=cost_usd, embed_s=embed_s)

    async def _block(self, texts: list[str], cache: Path) -> Vectors:
        try:
            identity = dict(await asyncio.to_thread(lambda: self.embedder.identity))
        except ValueError as error:
            raise ServiceError("bad_request", str(error)) from None
        key = await asyncio.to_thread(fingerprint, [identity, texts])
        name = f"vectors-{key[:32]}"
        found = await asyncio.to_thread(cached, cache, name, lambda e: _load(e, len(texts)))
        if found is None:
            vectors, _ = await self.embedder.embed(texts)
            if vectors.shape[0] != len(texts):
                raise ServiceError("malformed", "not every text has a vector")
            block = found = vectors.astype(np.float32)
            await asyncio.to_thread(
                keep, cache, name, lambda e: np.save(e / _FILE, block, allow_pickle=False)
            )
        return found


def _load(entry: Path, n_texts: int) -> Vectors:
    found = np.load(entry / _FILE, allow_pickle=False)
    if found.ndim != 2 or len(found) != n_texts or found.dtype != np.float32:
        raise ValueError("the vectors are of other chunks")
    vectors: Vectors = found
    return vectors
