"""Embedding a query, for the engines that search by vectors which a team made beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Annotated, TypeAlias

import numpy as np
from pydantic import Field

from harness.core.chat import ServiceError
from harness.plugins.embedders.http import Http
from harness.plugins.embedders.local import Local
from harness.ports import Embedder

AnyEmbedder: TypeAlias = Annotated[Local | Http, Field(discriminator="kind")]
"""An option that names an embedder: `{kind: local, model: FOLDER}`, `{kind: http, ...}`."""


@dataclass(frozen=True, slots=True)
class EmbeddedQuery:
    """A query's unit vector, what it cost in US dollars (None: unknown), and how long it took."""

    vector: tuple[float, ...]
    cost_usd: float | None
    embed_s: float

    def total_usd(self, search_usd: float) -> float | None:
        """The cost together with that of the search; None if it is unknown."""
        return None if self.cost_usd is None else self.cost_usd + search_usd


async def load(embedder: AnyEmbedder) -> None:
    """Load a local model, or import the HTTP client, so that the first query need not wait for it.

    Raises:
        ServiceError: if it cannot be read, or there is no key where one is asked for.
    """
    if isinstance(embedder, Local):
        await embedder.embed(["ready"])
    else:
        await embedder.open()


async def embed_query(embedder: Embedder, text: str) -> EmbeddedQuery:
    """The vector of one query.

    Raises:
        ServiceError: if the embedder fails, or gives no vector of finite numbers.
    """
    started = perf_counter()
    vectors, cost_usd = await embedder.embed([text])
    embed_s = perf_counter() - started
    if vectors.ndim != 2 or vectors.shape[0] != 1 or not np.isfinite(vectors).all():
        raise ServiceError("malformed", "the embedder gives no vector of finite numbers")
    return EmbeddedQuery(tuple(map(float, vectors[0])), cost_usd, embed_s)
