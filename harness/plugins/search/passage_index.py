"""Chunks in the order of their ids, which of them a filter lets through, and the best of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from harness.core.passage import Chunk, Passage
from harness.core.values import JsonValue, canonical_json, fingerprint
from harness.plugins.search.conditions import conditions
from harness.plugins.search.metadata_filter import meets

_MAX_MASKS = 256


class PassageIndex:
    """The chunks that a retriever searches, sorted by id, so that equal scores keep that order.

    They are given in the order in which they stand in their documents.
    """

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        given = list(chunks)
        order = sorted(range(len(given)), key=lambda i: given[i].id)
        self.chunks = [given[i] for i in order]
        self._positions = order
        self._masks: dict[str, NDArray[np.bool_]] = {}
        self._lock = Lock()

    @property
    def texts(self) -> list[str]:
        """What is indexed of every chunk."""
        return [indexed_text(piece) for piece in self.chunks]

    @cached_property
    def sha256(self) -> str:
        """A hash over all ids and all that is indexed."""
        found = hashlib.sha256()
        for piece in self.chunks:
            found.update(canonical_json([piece.id, indexed_text(piece)]).encode())
        return found.hexdigest()

    def best(
        self,
        scores: NDArray[np.floating],
        limit: int,
        where: Mapping[str, JsonValue],
        *,
        above: float = -np.inf,
    ) -> tuple[Passage, ...]:
        """The best chunks that pass `where`, best first; equal scores in the order of ids.

        The filter comes before the ranking, so that what may not be seen takes nobody's place.

        Args:
            scores: one for each chunk, in the order of `chunks`.
            limit: how many at most.
            where: conditions on metadata (`harness.core.passage.Query`).
            above: only scores greater than this.

        Raises:
            ServiceError: `bad_request`, if a condition cannot be understood.
        """
        usable = scores > above
        if where:
            usable &= self._mask(where)
        candidates = np.flatnonzero(usable)
        if limit < len(candidates):
            kept = -np.partition(-scores[candidates], limit - 1)[limit - 1]
            candidates = candidates[scores[candidates] >= kept]
        order = candidates[np.argsort(-scores[candidates], kind="stable")][:limit]
        return tuple(self._passage(i, float(scores[i])) for i in order)

    def _passage(self, i: int, score: float) -> Passage:
        piece = self.chunks[i]
        return Passage(
            piece.id,
            piece.text,
            score,
            document=piece.document,
            headings=piece.headings,
            sections=piece.sections,
            metadata=piece.metadata,
            position=self._positions[i],
        )

    def _mask(self, where: Mapping[str, JsonValue]) -> NDArray[np.bool_]:
        key = fingerprint(dict(where))
        with self._lock:
            found = self._masks.get(key)
        if found is not None:
            return found
        wanted = conditions(where)
        allowed: dict[int, bool] = {}  # chunks of a document share its metadata
        for piece in self.chunks:
            if id(piece.metadata) not in allowed:
                allowed[id(piece.metadata)] = meets(piece.metadata, wanted)
        found = np.array([allowed[id(piece.metadata)] for piece in self.chunks], np.bool_)
        with self._lock:
            if len(self._masks) >= _MAX_MASKS:
                self._masks.clear()
            self._masks[key] = found
        return found


def indexed_text(piece: Chunk) -> str:
    """A chunk's path of headings, a line each, and its text.

    A section's own heading stands in both, and so weighs double where words are counted.
    """
    return "\n".join([*piece.headings, piece.text])
