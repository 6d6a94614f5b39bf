"""The sequential dependence model against its formula, written out slowly."""

from __future__ import annotations

import asyncio
import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.core.passage import Passage
from harness.core.variant import Component
from harness.errors import InputError
from harness.plugins.rerankers.sequential_dependence import SequentialDependence
from harness.plugins.search.words import FUNCTION_WORDS
from harness.registry import build

WORDS = ("refund", "order", "late", "parcel", "gift", "the", "of")
TEXTS = st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join)
QUERIES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join)
OPTIONS = st.fixed_dictionaries(
    {
        "mu": st.sampled_from([1, 10.5, 100, 2000]),
        "weights": st.sampled_from([(0.85, 0.10, 0.05), (1, 0, 0), (0, 1, 0), (0, 0, 1)]),
        "stop_words": st.sampled_from(["english", "none"]),
    }
)


def passages(texts: list[str]) -> list[Passage]:
    return [Passage(f"p{number:02}", text, None) for number, text in enumerate(texts)]


def rerank(query: str, given: list[Passage], limit: int = 100, **options: Any) -> list[Passage]:
    reranker = SequentialDependence(**options)

    async def run() -> list[Passage]:
        await reranker.open()
        ranking = await reranker.rerank(query, given, limit)
        await reranker.close()
        assert ranking.cost_usd == 0
        return list(ranking.passages)

    return asyncio.run(run())


def ids(found: list[Passage]) -> list[str]:
    return [passage.id for passage in found]


def literal_scores(
    query: str,
    texts: list[str],
    mu: float = 100,
    weights: tuple[float, float, float] = (0.85, 0.10, 0.05),
    stop_words: str = "english",
) -> list[float]:
    """The ranking function of Metzler and Croft's sequential dependence model, word by word.

    Their collection statistics are replaced by equally likely words.
    """
    asked, documents = query.split(), [text.split() for text in texts]
    if stop_words == "english" and not all(word in FUNCTION_WORDS for word in asked):
        asked = [word for word in asked if word not in FUNCTION_WORDS]
        documents = [[w for w in words if w not in FUNCTION_WORDS] for words in documents]
    vocabulary = {word for words in documents for word in words}

    def term(weight: float, counts: list[int]) -> list[float]:
        if not sum(counts):
            return [0.0] * len(documents)
        background = 1 / len(vocabulary)
        return [
            weight * math.log((n + mu * background) / (len(words) + mu))
            for n, words in zip(counts, documents, strict=True)
        ]

    def in_order(first: str, second: str, words: list[str]) -> int:
        return sum(words[i : i + 2] == [first, second] for i in range(len(words)))

    def in_window(first: str, second: str, words: list[str]) -> int:
        found = 0
        for i, word in enumerate(words):
            rest = words[i + 1 : i + 8]
            found += (word == first and second in rest) or (word == second and first in rest)
        return found

    sums = [term(weights[0], [words.count(word) for words in documents]) for word in asked]
    for first, second in pairwise(asked):
        sums.append(term(weights[1], [in_order(first, second, words) for words in documents]))
        sums.append(term(weights[2], [in_window(first, second, words) for words in documents]))
    return [sum(parts) for parts in zip(*sums, strict=True)]


@settings(deadline=None)
@given(QUERIES, st.lists(TEXTS, min_size=1, max_size=6), OPTIONS)
def test_the_formula(query: str, texts: list[str], options: dict[str, Any]) -> None:
    expected = literal_scores(query, texts, **options)
    asked = set(query.split())
    if options["stop_words"] == "english" and not asked <= FUNCTION_WORDS:
        asked -= FUNCTION_WORDS
    for found in rerank(query, passages(texts), **options):
        number = int(found.id[1:])
        assert found.score is not None
        if asked & set(texts[number].split()):
            assert found.score == pytest.approx(expected[number], abs=1e-9)
        else:
            assert found.score <= expected[number] + 1e-9


@settings(deadline=None)
@given(QUERIES, st.lists(TEXTS, min_size=1, max_size=6), OPTIONS, st.data())
def test_the_order_given_does_not_matter(
    query: str, texts: list[str], options: dict[str, Any], data: st.DataObject
) -> None:
    given = passages(texts)
    mixed = data.draw(st.permutations(given))
    found = rerank(query, given, **options)
    assert rerank(query, mixed, **options) == found
    assert sorted(ids(found)) == sorted(ids(given))
    scores = [passage.score for passage in found]
    assert scores == sorted(scores, reverse=True)
    assert rerank(query, mixed, 2, **options) == found[:2]


@settings(deadline=None)
@given(QUERIES, TEXTS, TEXTS, st.lists(TEXTS, max_size=4), OPTIONS)
def test_a_verbatim_passage_is_never_below_one_with_none_of_the_words(
    query: str, before: str, after: str, others: list[str], options: dict[str, Any]
) -> None:
    given = [
        Passage("z-verbatim", f"{before} {query} {after}", None),
        Passage("a-none", "opening hours", None),
        Passage("a-empty", "", None),
        *passages(others),
    ]
    found = ids(rerank(query, given, **options))
    assert found.index("z-verbatim") < min(found.index("a-none"), found.index("a-empty"))


@settings(deadline=None)
@given(QUERIES, TEXTS, st.lists(TEXTS, max_size=4), OPTIONS)
def test_equal_texts_stand_in_the_order_of_their_ids(
    query: str, text: str, others: list[str], options: dict[str, Any]
) -> None:
    given = [Passage("b", text, 2.0), *passages(others), Passage("a", text, 1.0)]
    found = ids(rerank(query, given, **options))
    assert found.index("a") + 1 == found.index("b")


@settings(deadline=None)
@given(st.text(max_size=60), st.lists(st.text(max_size=80), max_size=5))
def test_any_text(query: str, texts: list[str]) -> None:
    found = rerank(query, passages(texts))
    assert len(found) == len(texts)
    assert all(passage.score is not None and math.isfinite(passage.score) for passage in found)


def test_words_together_rank_above_words_apart() -> None:
    apart = "delivery of your parcel is free while the billing address stays " + "so " * 20
    together = "free is your parcel while billing stays the delivery address of " + "so " * 20
    assert ids(rerank("delivery address", passages([apart, together]))) == ["p01", "p00"]


def test_a_window_holds_eight_words() -> None:
    near, far = "a x1 x2 x3 x4 x5 x6 b x7", "a x1 x2 x3 x4 x5 x6 x7 b"
    only_windows = {"weights": (0, 0, 1), "stop_words": "none"}
    first, second = rerank("b a", passages([far, near]), **only_windows)
    assert (first.id, second.id) == ("p01", "p00")
    assert first.score is not None
    assert second.score is not None
    assert first.score > second.score


def test_headings_count_once() -> None:
    above = ("Returns", "Holiday season")
    begun = Passage("begun", "## Holiday season\nUntil 31 January.", None, headings=above)
    piece = Passage("piece", "Until 31 January.", None, headings=above)
    first, second = rerank("holiday returns", [begun, piece])
    assert (first.id, second.id) == ("begun", "piece")
    assert first.score == second.score
    bare = Passage("bare", "Until 31 January.", None)
    assert ids(rerank("holiday", [bare, piece])) == ["piece", "bare"]


def test_a_query_of_function_words_alone_is_asked_as_it_is() -> None:
    assert ids(rerank("who are you", passages(["ours", "what you are"]))) == ["p01", "p00"]


def test_without_words_the_ids_decide() -> None:
    given = [Passage("b", "x", 2.0), Passage("a", "y", 1.0)]
    assert ids(rerank("?!", given)) == ["a", "b"]
    assert rerank("x", []) == []


def test_a_long_query_is_cut() -> None:
    found = rerank("x " * 4096 + "y", passages(["y", "x"]))
    assert ids(found) == ["p01", "p00"]
    assert found[0].score is not None
    assert found[0].score < 0


def test_it_is_built_by_its_name() -> None:
    options = {"mu": 30, "weights": [1, 0.5, 0.5]}
    built = build("reranker", Component("sequential_dependence", options))
    assert built.weights == (1, 0.5, 0.5)
    assert built.identity == {"words": "lower case, \\w+, single CJK signs", "window": 8}


@pytest.mark.parametrize(
    "options",
    [
        {"weights": [0, 0, 0]}, {"weights": [1, 1]}, {"weights": [1, 1, -1]},
        {"weights": [1, 1, float("nan")]}, {"mu": 0}, {"mu": "many"}, {"stop_words": "latin"},
    ],
)  # fmt: skip
def test_wrong_options(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SequentialDependence(**options)
    with pytest.raises(InputError):
        build("reranker", Component("sequential_dependence", options))
