"""What rerankers share: reading the scores that a service gives, and the order that follows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from harness.core.chat import ServiceError
from harness.core.passage import Passage
from harness.core.values import JsonValue
from harness.plugins.texts.json_text import is_number

_SCORES = ("relevance_score", "score")


def best(
    passages: Sequence[Passage], scores: Iterable[tuple[int, float]], limit: int
) -> tuple[Passage, ...]:
    """The `limit` passages of the highest scores; of equal ones the one that was ranked better.

    Args:
        passages: best first, as the stage before ranked them.
        scores: pairs of a passage's index and its new score; what has none is left out.
        limit: how many are kept.
    """
    ordered = sorted(scores, key=lambda pair: (-pair[1], pair[0]))[:limit]
    return tuple(replace(passages[index], score=score) for index, score in ordered)


def index_scores(results: JsonValue, n_passages: int) -> list[tuple[int, float]]:
    """Pairs of index and score from `[{index, relevance_score}]`, or `score` in place of that.

    Raises:
        ServiceError: `malformed`: no such list, an index that was not asked or comes twice, a score
            that is no finite number, or no result at all.
    """
    if not isinstance(results, list | tuple) or not results:
        raise _malformed("the answer has no list of results")
    scores: dict[int, float] = {}
    for result in results:
        index, score = _pair(result)
        if not 0 <= index < n_passages:
            raise _malformed(f"the index {index} is none of the {n_passages} passages")
        if index in scores:
            raise _malformed(f"the index {index} comes twice")
        scores[index] = score
    return list(scores.items())


def _pair(result: JsonValue) -> tuple[int, float]:
    if not isinstance(result, Mapping):
        raise _malformed("a result is no object")
    index = result.get("index")
    if isinstance(index, bool) or not isinstance(index, int):
        raise _malformed("a result has no index")
    score: JsonValue = next((result[name] for name in _SCORES if name in result), None)
    if not is_number(score) or not math.isfinite(score):
        raise _malformed(f"the score of index {index} is no number")
    return index, float(score)


def _malformed(what: str) -> ServiceError:
    return ServiceError("malformed", what)
