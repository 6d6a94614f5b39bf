"""Texts nearest to a query by BM25: which examples a prompt shows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from harness.plugins.retrievers.bm25 import Ranker


def nearest(texts: Sequence[str], query: str, k: int) -> list[int]:
    """The indices of the `k` texts nearest to `query`, nearest first; ties in the texts' order.

    Where fewer than `k` share a word with it, the first of the others follow.
    """
    from harness.plugins.search.words import words

    scores = _index(tuple(texts)).scores(words(query))
    order = np.argsort(-scores, kind="stable")[:k]
    return [int(index) for index in order]


@lru_cache(maxsize=64)
def _index(texts: tuple[str, ...]) -> Ranker:
    from harness.plugins.retrievers.bm25 import ranker_of

    return ranker_of(texts)
