from __future__ import annotations

from collections import Counter
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.example import Example
from harness.core.record import Answer, AnswerPath, Record
from harness.core.score import Scored
from harness.plugins.scorers.token_f1 import TokenF1


@pytest.mark.parametrize(
    ("output", "target", "multiset", "distinct"),
    [
        ("The cat!", "a cat", 1, 1),
        ("black cat", "cat", 2 / 3, 2 / 3),
        ("", "", 1, 1),
        ("the", "", 1, 1),
        ("", "cat", 0, 0),
        ("cat", "the", 0, 0),
        ("dog", "cat", 0, 0),
        ("to be or not to be", "to be or not to be", 1, 8 / 12),
        ("cat", ["dog", "big cat", "small cat"], 2 / 3, 2 / 3),
        (18, "18", 1, 1),
        ({"big": "cat"}, "cat", 2 / 3, 2 / 3),
        ("Æther", "æther", 1, 1),
        ("日本", "日本", 1, 1),
        ("x " * 10_000, "x", 2 / 10_001, 2 / 10_001),
    ],
)
def test_f1(value: Any, output: Any, target: Any, multiset: float, distinct: float) -> None:
    assert value(TokenF1(id="f"), output, target=target) == pytest.approx(multiset)
    scorer = TokenF1(id="f", overlap="distinct")
    assert value(scorer, output, target=target) == pytest.approx(distinct)


words = st.lists(st.sampled_from(["x", "y", "z"]), min_size=1, max_size=8)


@given(words, words, st.sampled_from(["multiset", "distinct"]))
def test_is_the_harmonic_mean_of_precision_and_recall(
    output: list[str], target: list[str], overlap: Literal["multiset", "distinct"]
) -> None:
    shared = sum(min(Counter(output)[word], Counter(target)[word]) for word in "xyz")
    if overlap == "distinct":
        shared = sum(word in output and word in target for word in "xyz")
    precision, recall = shared / len(output), shared / len(target)
    expected = 2 * precision * recall / (precision + recall) if shared else 0
    record = Record("v", "e", 0, Answer(" ".join(output)), AnswerPath.RECORDED)
    example = Example("e", {}, " ".join(target))
    outcome = TokenF1(id="f", overlap=overlap).score(example, record)["f"]
    assert isinstance(outcome, Scored)
    assert outcome.value == pytest.approx(expected)
