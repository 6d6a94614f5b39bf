from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from harness.core.score import Scored, Unscored
from harness.plugins.scorers.exact_match import ExactMatch


@pytest.mark.parametrize(
    ("output", "target", "expected"),
    [
        ("Paris", "Paris", 1),
        ("Paris ", "Paris", 0),
        ("paris", "Paris", 0),
        ("", "", 1),
        ("", "x", 0),
        ("b", ["a", "b"], 1),
        ("c", ["a", "b"], 0),
        (1, 1.0, 1),
        (True, 1, 0),
        (True, True, 1),
        (0, False, 0),
        ("1", 1, 0),
        ({"a": 1, "b": [2]}, {"b": [2.0], "a": 1}, 1),
        ({"a": None}, {}, 0),
        ([1, 2], [1, 2], 1),
        ([1, 2], [[1, 2], [3]], 1),
        ([2, 1], [1, 2], 0),
        (2, [1, 2], 1),
        ("\u00e9", "e\u0301", 0),
        ("\ud800", "\ud800", 1),
        (2**60, float(2**60), 1),
        (2**60 + 1, float(2**60), 0),
    ],
)
def test_without_normalisation(value: Any, output: Any, target: Any, expected: float) -> None:
    assert value(ExactMatch(id="m"), output, target=target) == expected


@pytest.mark.parametrize(
    ("steps", "output", "target", "expected"),
    [
        (("lower",), "PARIS", "paris", 1),
        (("lower",), "PARIS.", "paris", 0),
        (("punctuation", "lower"), "U.S.A.", "usa", 1),
        (("articles", "whitespace"), "The  cat on a mat", "cat on mat", 1),
        (("articles", "whitespace"), "theatre", "atre", 0),
        (("strip",), "\n x\t", "x", 1),
        (("strip",), "a  b", "a b", 0),
        (("whitespace",), "a\n\u00a0b ", "a b", 1),
        (("nfc",), "\u00e9", "e\u0301", 1),
        (("nfkc",), "\uff11\u00bd", "11\u20442", 1),
        (("lower",), 5, "5", 0),
        (("lower",), "5", [5, "5"], 1),
        (("punctuation", "whitespace"), "?!", "", 1),
    ],
)
def test_declared_normalisation(
    value: Any, steps: Any, output: Any, target: Any, expected: float
) -> None:
    assert value(ExactMatch(id="m", normalise=steps), output, target=target) == expected


def test_order_of_the_steps_is_fixed(value: Any) -> None:
    for steps in (("punctuation", "articles"), ("articles", "punctuation")):
        assert value(ExactMatch(id="m", normalise=steps), "t.he cat", target="the cat") == 1


@pytest.mark.parametrize("target", [None, []])
def test_no_target_does_not_apply(ask: Any, target: Any) -> None:
    for output in ("x", None):
        outcome = ask(ExactMatch(id="m"), output, target=target)
        assert isinstance(outcome, Unscored)
        assert not outcome.applicable


def test_target_of_the_config(value: Any) -> None:
    scorer = ExactMatch(id="m", target=["yes", "y"])
    assert value(scorer, "y", target="no") == 1
    assert value(scorer, "no", target="no") == 0
    with pytest.raises(ValidationError, match="not both"):
        ExactMatch(id="m", target="x", target_field="y")


def test_target_field_in_target_then_in_the_example(value: Any, ask: Any) -> None:
    scorer = ExactMatch(id="m", target_field="metadata.gold")
    assert value(scorer, "a", target={"metadata": {"gold": "a"}}, metadata=None) == 1
    assert value(scorer, "b", target={"metadata.gold": "b"}) == 1
    inside = ExactMatch(id="m", target_field="slices.name")
    assert value(inside, "b", target="x", slices={"name": "b"}) == 1
    assert not ask(ExactMatch(id="m", target_field="id"), "e", target="x").applicable


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ({"answer": {"text": "a"}}, 1),
        ('{"answer": {"text": "a"}}', 1),
        ('{"answer": {"text": "b"}}', 0),
        ({"answer": "a"}, 0),
        ("a", 0),
        ("{", 0),
        ("", 0),
        ([1], 0),
        (7, 0),
        ('{"answer": 1, "answer": {"text": "a"}}', 0),
    ],
)
def test_output_field(value: Any, output: Any, expected: float) -> None:
    assert value(ExactMatch(id="m", output_field="answer.text"), output, target="a") == expected


def test_explanation_says_got_and_expected(ask: Any) -> None:
    wrong = ask(ExactMatch(id="m"), "26", target="18")
    assert wrong == Scored(0.0, explanation="got 26, expected 18")
    long = ask(ExactMatch(id="m"), "x\n\n" * 1000 + "\ud800", target="18")
    assert len(long.explanation) < 200
    assert "\n" not in long.explanation
    assert ask(ExactMatch(id="m"), "18", target="18").explanation == ""
    absent = ask(ExactMatch(id="m", output_field="a"), {}, target="18")
    assert absent.explanation == "the output has no field 'a'"
    assert ask(ExactMatch(id="m"), None, target="18").explanation == "no answer (no_answer)"


@pytest.mark.parametrize("identifier", ["", "a.b", "a b", "a/b", "a@1"])
def test_ids_that_would_be_ambiguous_are_refused(identifier: str) -> None:
    with pytest.raises(ValidationError):
        ExactMatch(id=identifier)


@pytest.mark.parametrize(
    ("where", "selected"),
    [
        ({"slices.steps": 2}, True),
        ({"slices.steps": ["1", "2"]}, True),
        ({"slices.steps": ["1"]}, False),
        ({"slices.steps": []}, False),
        ({"target.kind": "refuse", "slices.steps": "2"}, True),
        ({"target.kind": "refuse", "slices.steps": "3"}, False),
        ({"target.absent": None}, False),
        ({"hard": True}, True),
        ({"hard": 1}, False),
    ],
)
def test_where(where: dict[str, Any], selected: bool) -> None:
    from harness.core.example import Example
    from harness.core.record import Answer, AnswerPath, Record

    example = Example("e", {}, {"kind": "refuse"}, {"steps": "2"}, metadata={"hard": True})
    record = Record("v", "e", 0, Answer("x"), AnswerPath.RECORDED)
    outcome = ExactMatch(id="m", where=where, target="x").score(example, record)["m"]
    assert isinstance(outcome, Scored) == selected
