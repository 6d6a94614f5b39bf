"""The sequential dependence model: which words, and how near to one another; nothing is learnt.

Metzler and Croft (2005), "A Markov random field model for term dependencies" (SIGIR). A passage is
scored by the words of the query, by its pairs of neighbouring words in their order, and by windows
that hold both words of a pair in any order.
"""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator

from harness.core.options import Number
from harness.core.passage import Passage, Ranking
from harness.core.values import JsonValue
from harness.plugins.search.words import FUNCTION_WORDS, WORDS, words

MAX_QUERY_WORDS = 4096
WINDOW = 8
"""Words in a window: four for each word of a pair, as in the paper."""

Weight = Annotated[Number, Field(ge=0, le=1e6)]
Places: TypeAlias = Mapping[str, Sequence[int]]
"""Where each word of a passage stands, in ascending order."""


class SequentialDependence(BaseModel):
    """Ranks passages that hold the query's words, and hold them together, above others.

    The score of a passage D is the weighted sum, over the query's words, ordered pairs and windows
    f, of `ln((n(f, D) + mu / V) / (length of D + mu))`, where `n` is how often f occurs, and V how
    many different words the passages at hand have. What no passage holds is left out.

    The paper smooths with each word's share of the whole collection. A reranker sees only passages
    that were chosen for holding the query's words: their shares would make the words that matter
    most look common. So all words count as equally likely; docs/reference/retrieval.md has figures.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    weights: tuple[Weight, Weight, Weight] = Field(
        default=(0.85, 0.10, 0.05),
        description="Of single words, of pairs of neighbours in the query's order, and of such "
        "pairs in any order within eight words.",
    )
    mu: Annotated[Number, Field(ge=1, le=1e9)] = Field(
        default=100.0,
        description="How many words, spread evenly over all, are added to a passage's own "
        "(Dirichlet smoothing); with more of them its length counts less.",
    )
    stop_words: Literal["english", "none"] = Field(
        default="english",
        description="Which words do not count, in queries and passages: English articles, "
        "prepositions, pronouns, auxiliaries and the like, or none.",
    )

    @field_validator("weights")
    @classmethod
    def _one_counts(cls, weights: tuple[float, float, float]) -> tuple[float, float, float]:
        if not any(weights):
            raise ValueError("one of the weights must be more than 0")
        return weights

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """What a word is, and how wide a window."""
        return {"words": WORDS, "window": WINDOW}

    async def open(self) -> None:
        """Nothing is to be made ready."""

    async def rerank(self, query: str, passages: Sequence[Passage], limit: int) -> Ranking:
        """The passages of the highest scores; equal ones in the order of their ids.

        Passages without any word of the query stand last, whatever smoothing makes of their
        length. Of a query, the first 4096 words count.
        """
        return Ranking(await asyncio.to_thread(self._ranked, query, passages, limit))

    async def close(self) -> None:
        """Nothing is held open."""

    def _ranked(self, query: str, passages: Sequence[Passage], limit: int) -> tuple[Passage, ...]:
        asked = words(query)[:MAX_QUERY_WORDS]
        ignored: frozenset[str] = FUNCTION_WORDS if self.stop_words == "english" else frozenset()
        if ignored.issuperset(asked):
            ignored = frozenset()  # `who are you` has no other words
        asked = [word for word in asked if word not in ignored]
        texts = [[w for w in scored_words(passage) if w not in ignored] for passage in passages]
        scores = self._scores(asked, texts)
        holds = [not set(asked).isdisjoint(text) for text in texts]
        lowest = min((s for s, held in zip(scores, holds, strict=True) if held), default=0.0)
        scores = [s if held else min(s, lowest) for s, held in zip(scores, holds, strict=True)]
        order = sorted(range(len(texts)), key=lambda i: (not holds[i], -scores[i], passages[i].id))
        return tuple(replace(passages[i], score=scores[i]) for i in order[:limit])

    def _scores(self, query: Sequence[str], texts: Sequence[Sequence[str]]) -> list[float]:
        """The score of each text, all of them its words."""
        scores = [0.0] * len(texts)
        expected = self.mu / max(len(set().union(*texts)), 1)
        for weight, counts in self._features(query, [_places(text) for text in texts]):
            if weight and any(counts):
                for i, count in enumerate(counts):
                    scores[i] += weight * math.log((count + expected) / (len(texts[i]) + self.mu))
        return scores

    def _features(
        self, query: Sequence[str], texts: Sequence[Places]
    ) -> Iterator[tuple[float, list[int]]]:
        """What is counted: its weight, as often as it stands in the query, and its counts."""
        of_words, of_pairs, of_windows = self.weights
        for word, n in Counter(query).items():
            yield of_words * n, [len(places.get(word, ())) for places in texts]
        for (first, second), n in Counter(pairwise(query)).items():
            yield of_pairs * n, [n_pairs(places, first, second) for places in texts]
            yield of_windows * n, [n_windows(places, first, second) for places in texts]


def scored_words(passage: Passage) -> list[str]:
    """The words of a passage's headings and of its text; headings that begin the text once."""
    text = words(passage.text)
    headings = [words(heading) for heading in passage.headings]
    tails = (_joined(headings[start:]) for start in range(len(headings) + 1))
    n_above = next(n for n, tail in enumerate(tails) if text[: len(tail)] == tail)
    return [*_joined(headings[:n_above]), *text]


def n_pairs(places: Places, first: str, second: str) -> int:
    """How often the second word follows right after the first."""
    after = set(places.get(second, ()))
    return sum(place + 1 in after for place in places.get(first, ()))


def n_windows(places: Places, a: str, b: str) -> int:
    """How many windows of `WINDOW` words begin with one of two words and hold the other further on.

    Of a word with itself, those that hold it twice.
    """
    in_a, in_b = places.get(a, ()), places.get(b, ())
    if a == b:
        return _n_begun(in_a, in_a)
    return _n_begun(in_a, in_b) + _n_begun(in_b, in_a)


def _n_begun(begins: Sequence[int], others: Sequence[int]) -> int:
    """How many of the places have one of the others after them, in the same window."""
    if not others:
        return 0
    n_found = 0
    for place in begins:
        following = bisect_right(others, place)
        n_found += following < len(others) and others[following] < place + WINDOW
    return n_found


def _places(text: Iterable[str]) -> Places:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for place, word in enumerate(text):
        found[word].append(place)
    return found


def _joined(parts: Iterable[Sequence[str]]) -> list[str]:
    return [word for part in parts for word in part]
