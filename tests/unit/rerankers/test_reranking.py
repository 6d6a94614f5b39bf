"""Scores to an order, and what is no list of scores."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.chat import ServiceError
from harness.core.passage import Passage
from harness.plugins.search.reranking import best, index_scores

PASSAGES = tuple(Passage(f"p{number}", f"text {number}", 1.0) for number in range(4))


def test_ties_keep_the_earlier_rank() -> None:
    found = best(PASSAGES, [(3, 1.0), (1, 2.0), (0, 1.0), (2, 1.0)], 3)
    assert [(passage.id, passage.score) for passage in found] == [
        ("p1", 2.0), ("p0", 1.0), ("p2", 1.0),
    ]  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.floats(-2, 2), min_size=4, max_size=4), st.integers(0, 6))
def test_the_best_in_descending_order(scores: list[float], limit: int) -> None:
    found = best(PASSAGES, enumerate(scores), limit)
    assert len(found) == min(limit, 4)
    given_scores = [passage.score for passage in found]
    assert given_scores == sorted(scores, reverse=True)[:limit]
    assert len({passage.id for passage in found}) == len(found)


@pytest.mark.parametrize(
    ("results", "says"),
    [
        (None, "no list of results"),
        ({}, "no list of results"),
        ("x", "no list of results"),
        ([], "no list of results"),
        ([1], "no object"),
        ([{"relevance_score": 1}], "no index"),
        ([{"index": "0", "score": 1}], "no index"),
        ([{"index": True, "score": 1}], "no index"),
        ([{"index": 4, "score": 1}], "the index 4 is none of the 4 passages"),
        ([{"index": -1, "score": 1}], "the index -1 is none of the 4 passages"),
        ([{"index": 0, "score": 1}, {"index": 0, "score": 2}], "the index 0 comes twice"),
        ([{"index": 0}], "the score of index 0 is no number"),
        ([{"index": 0, "score": None}], "the score of index 0 is no number"),
        ([{"index": 0, "score": True}], "the score of index 0 is no number"),
        ([{"index": 0, "score": float("nan")}], "the score of index 0 is no number"),
        ([{"index": 0, "score": float("inf")}], "the score of index 0 is no number"),
    ],
)
def test_what_is_no_list_of_scores_is_malformed(results: Any, says: str) -> None:
    with pytest.raises(ServiceError) as raised:
        index_scores(results, 4)
    assert raised.value.kind == "malformed"
    assert says in raised.value.message


def test_both_names_of_a_score() -> None:
    assert index_scores([{"index": 1, "relevance_score": 0.5}], 4) == [(1, 0.5)]
    assert index_scores([{"index": 1, "score": -3}], 4) == [(1, -3.0)]
