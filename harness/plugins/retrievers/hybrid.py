"""BM25 and vectors together, by reciprocal rank fusion (Cormack, Clarke and Büttcher 2009)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from harness.core.options import Whole
from harness.core.passage import Chunk, Passage, Query, Ranking
from harness.core.values import JsonValue
from harness.plugins.retrievers.bm25 import Bm25
from harness.plugins.retrievers.dense import Dense

MIN_DEPTH = 50
DEPTH_FACTOR = 4


class Hybrid(BaseModel):
    """Finds what BM25 or vectors rank high; what both rank high comes first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dense: Dense = Field(description="Options of `dense`; its `embedder` is required.")
    bm25: Bm25 = Field(default_factory=Bm25, description="Options of `bm25`.")
    k: Annotated[Whole, Field(ge=1, le=10_000)] = Field(
        default=60, description="A passage at rank r of one ranking gets 1 / (k + r) from it."
    )
    depth: Annotated[Whole, Field(ge=1, le=10_000)] | None = Field(
        default=None,
        description="How many passages of each ranking take part; default: 4 times as many as "
        "are wanted, and 50 at least.",
    )

    @property
    def needs_corpus(self) -> bool:
        """It searches chunks that harness makes."""
        return True

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """Those of the two rankings."""
        return {"bm25": dict(self.bm25.identity), "dense": dict(self.dense.identity)}

    async def open(self, chunks: Sequence[Chunk], cache: Path) -> None:
        """Build both indexes, or load them.

        Raises:
            ServiceError: if the embedder fails.
        """
        await self.bm25.open(chunks, cache)
        await self.dense.open(chunks, cache)

    async def retrieve(self, query: Query) -> Ranking:
        """The fused ranking; a passage's score is the sum of what its ranks are worth.

        Raises:
            ServiceError: if the embedder fails.
        """
        depth = self.depth or max(MIN_DEPTH, DEPTH_FACTOR * query.limit)
        deep = replace(query, limit=max(depth, query.limit))
        lexical = await self.bm25.retrieve(deep)
        semantic = await self.dense.retrieve(deep)
        fused = reciprocal_rank_fusion([lexical.passages, semantic.passages], self.k)
        return replace(semantic, passages=fused[: query.limit])

    async def close(self) -> None:
        """Close both."""
        await asyncio.gather(self.bm25.close(), self.dense.close())


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[Passage]], k: int = 60
) -> tuple[Passage, ...]:
    """Passages by the sum of `1 / (k + rank)` over the rankings, best first, ties by id.

    Ranks count from 1. The order of the rankings does not matter.
    """
    ranks: dict[str, list[int]] = {}
    passages: dict[str, Passage] = {}
    for ranking in rankings:
        for rank, found in enumerate(ranking, start=1):
            ranks.setdefault(found.id, []).append(rank)
            passages[found.id] = found
    fused = [
        replace(passages[key], score=sum(1.0 / (k + rank) for rank in sorted(places)))
        for key, places in ranks.items()
    ]
    return tuple(sorted(fused, key=lambda found: (-(found.score or 0.0), found.id)))
