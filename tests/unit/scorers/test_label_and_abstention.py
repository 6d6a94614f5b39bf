from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.metrics import (  # type: ignore[import-untyped]
    accuracy_score,
    precision_score,
    recall_score,
)

from harness.core.example import EvalSet, Example
from harness.core.record import Answer, AnswerPath, Failure, Record
from harness.core.score import Unscored
from harness.plugins.scorers.abstention import Abstention
from harness.plugins.scorers.label import Label
from harness.scoring.pointwise import score_records


@pytest.mark.parametrize(
    ("options", "output", "target", "right", "predicted"),
    [
        ({}, "a", "a", 1, "a"),
        ({}, " a\n", "a", 1, "a"),
        ({}, "A", "a", 0, "A"),
        ({"normalise": ["lower"]}, "A", "a", 1, "a"),
        ({}, "", "a", 0, "(empty)"),
        ({}, 1, "1", 1, "1"),
        ({}, True, "true", 1, "true"),
        ({}, {"b": 1}, "a", 0, '{"b": 1}'),
        ({"labels": ["a", "b"]}, "b", "a", 0, "b"),
        ({"labels": ["a", "b"]}, "c", "a", 0, "(other)"),
        ({"labels": ["A", "B"], "normalise": ["lower"]}, "b", "A", 0, "b"),
        ({}, None, "a", 0, "(no answer)"),
        ({"labels": ["a", "b"]}, None, "a", 0, "(no answer)"),
        ({"output_field": "x"}, {}, "a", 0, "(no answer)"),
        ({}, "\ud800", "a", 0, "\ufffd"),
    ],
)
def test_label(
    ask: Any, options: dict[str, Any], output: Any, target: Any, right: float, predicted: str
) -> None:
    scorer = Label.model_validate({"id": "l", **options})
    for part in ("", "macro_f1"):
        outcome = ask(scorer, output, part, target=target)
        assert (outcome.value, outcome.predicted) == (right, predicted)
        assert outcome.expected == ("a" if "normalise" in options else target)


def test_label_long_outputs_stay_distinct_and_short(ask: Any) -> None:
    outcomes = [ask(Label(id="l"), "x" * 10_000 + end, target="a") for end in "pq"]
    classes = {outcome.predicted for outcome in outcomes}
    assert len(classes) == 2
    assert all(len(name) <= 120 for name in classes)


def test_label_outside_the_closed_set(ask: Any) -> None:
    scorer = Label(id="l", labels=("a", "b"))
    for output in ("a", "c", None):  # a failure's score must be missing too, not a miss
        for part in ("", "macro_f1"):
            missing = ask(scorer, output, part, target="c")
            assert missing == Unscored("the target 'c' is none of the labels")
    with pytest.raises(ValidationError):
        Label(id="l", labels=("a",))


classes = st.sampled_from(["a", "b", "c"])


@given(st.lists(st.tuples(classes, classes), min_size=1, max_size=30))
def test_label_accuracy_as_sklearn(pairs: list[tuple[str, str]]) -> None:
    expected, predicted = zip(*pairs, strict=True)
    examples = tuple(Example(f"{i:02}", {}, label) for i, label in enumerate(expected))
    records = [
        Record("v", f"{i:02}", 0, Answer(label), AnswerPath.RECORDED)
        for i, label in enumerate(predicted)
    ]
    scores = score_records(EvalSet("s", "", examples), ["v"], 1, records, [Label(id="l")])
    columns = scores.metric("l.macro_f1")
    assert columns.expected is not None
    assert columns.predicted is not None
    names = np.array(columns.labels)
    assert list(names[columns.expected.ravel()]) == list(expected)
    assert list(names[columns.predicted.ravel()]) == [
        label if label in expected else "(other)" for label in predicted
    ]
    assert columns.value.mean() == pytest.approx(accuracy_score(expected, predicted))


@pytest.mark.parametrize(
    ("output", "abstains"),
    [
        ("I don't know.", True),
        ("Sorry, I DON\u2019T  KNOW that", True),
        ("This cannot be\ndetermined from the text.", True),
        ("There is not enough information here", True),
        ("Paris", False),
        ("", False),
        ("I know", False),
        (True, True),
        (False, False),
        ({"text": "I don't know"}, True),
        (0, False),
    ],
)
def test_default_phrases(value: Any, output: Any, abstains: bool) -> None:
    assert value(Abstention(id="a"), output, abstain=True) == abstains
    assert value(Abstention(id="a"), output, abstain=False) == (not abstains)


@pytest.mark.parametrize(
    ("options", "output", "abstains"),
    [
        ({"phrases": ["pass"]}, "I PASS", True),
        ({"phrases": ["pass"]}, "I don't know", False),
        ({"equals": ["There are errors."]}, " there  are ERRORS", True),
        ({"equals": ["There are errors."]}, "There are errors. Namely", False),
        ({"pattern": "^no(ne)?$"}, "None", True),
        ({"pattern": "^no(ne)?$"}, "none at all", False),
        ({"output_field": "declined"}, {"declined": True}, True),
        ({"output_field": "declined"}, '{"declined": false}', False),
        ({"output_field": "text"}, {"text": "I don't know"}, True),
    ],
)
def test_ways_to_tell(value: Any, options: dict[str, Any], output: Any, abstains: bool) -> None:
    scorer = Abstention.model_validate({"id": "a", **options})
    assert value(scorer, output, abstain=True) == abstains


def test_abstention_outcomes_by_case(ask: Any) -> None:
    scorer, no, yes = Abstention(id="a"), "I don't know", "Paris"
    table = {
        (True, no): (1, (1, 1), 1, None),
        (True, yes): (0, (0, 0), 0, None),
        (True, None): (0, (0, 0), 0, None),
        (False, no): (0, (0, 1), None, 1),
        (False, yes): (1, (0, 0), None, 0),
        (False, None): (0, (0, 0), None, 1),
    }
    for (should, output), (right, precision, recall, over) in table.items():
        assert ask(scorer, output, abstain=should).value == right
        weighed = ask(scorer, output, "precision", abstain=should)
        assert (weighed.value, weighed.weight) == precision
        for part, expected in (("recall", recall), ("over_abstention", over)):
            outcome = ask(scorer, output, part, abstain=should)
            if expected is None:
                assert not outcome.applicable
            else:
                assert outcome.value == expected
    cell = ask(scorer, None, abstain=True)
    assert (cell.expected, cell.predicted) == ("abstain", "(no answer)")


@pytest.mark.parametrize(
    ("should", "target", "expected"),
    [
        ({"field": "target.kind", "equals": "refuse"}, {"kind": "refuse"}, "abstain"),
        ({"field": "target.kind", "equals": ["refuse", "x"]}, {"kind": "x"}, "abstain"),
        ({"field": "target.kind", "equals": "refuse"}, {"kind": "answer"}, "answer"),
        ({"field": "target.kind", "equals": "refuse"}, {}, None),
        ({"field": "target.kind", "equals": "refuse"}, None, None),
        (None, None, None),
    ],
)
def test_should(ask: Any, should: Any, target: Any, expected: str | None) -> None:
    scorer = Abstention.model_validate({"id": "a", "should": should})
    for output in ("Paris", None):
        outcome = ask(scorer, output, target=target)
        if expected is None:
            assert not outcome.applicable
        else:
            assert outcome.expected == expected


@pytest.mark.parametrize(
    "options",
    [
        {"phrases": ["a"], "equals": ["b"]},
        {"phrases": []},
        {"pattern": "("},
        {"should": {"field": "x"}},
        {"should": {"field": "", "equals": 1}},
    ],
)
def test_abstention_mistakes_are_config_errors(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Abstention.model_validate({"id": "a", **options})


def test_catastrophic_pattern_leaves_inapplicable_parts_so() -> None:
    record = Record("v", "e", 0, Answer("a" * 100 + "!"), AnswerPath.RECORDED)
    scorer = Abstention(id="a", pattern="^(a|aa)+$")
    outcomes = scorer.score(Example("e", {}, abstain=True), record)
    assert outcomes["a"] == outcomes["a.recall"] == Unscored("timed out")
    assert outcomes["a.over_abstention"] == Unscored("the system should abstain", applicable=False)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["no", "yes", None])), min_size=1))
def test_precision_and_recall_as_sklearn(rows: list[tuple[bool, str | None]]) -> None:
    scorer = Abstention(id="a", equals=("no",))
    examples = tuple(Example(f"{i:03}", {}, abstain=should) for i, (should, _) in enumerate(rows))
    records = [
        Record(
            "v",
            f"{i:03}",
            0,
            Failure(infrastructure=False, error_kind="") if output is None else Answer(output),
            AnswerPath.RECORDED,
        )
        for i, (_, output) in enumerate(rows)
    ]
    table = score_records(EvalSet("s", "", examples), ["v"], 1, records, [scorer])
    truth = [should for should, _ in rows]
    found = [output == "no" for _, output in rows]
    precision = table.metric("a.precision")
    if precision.weight.sum():
        ratio = (precision.value * precision.weight).sum() / precision.weight.sum()
        assert ratio == pytest.approx(precision_score(truth, found))
    assert bool(precision.weight.sum()) == any(found)
    recall = table.metric("a.recall").value
    if any(truth):
        assert np.nanmean(recall) == pytest.approx(recall_score(truth, found))
    assert np.isnan(recall).sum() == truth.count(False)
