from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.example import EvalSet, Example
from harness.core.record import Answer, AnswerPath, Failure, Record
from harness.core.score import Aggregate, Metric, Scored, ScoreTable, Unscored
from harness.plugins.scorers.abstention import Abstention
from harness.plugins.scorers.exact_match import ExactMatch
from harness.plugins.scorers.field import Field
from harness.plugins.scorers.label import Label
from harness.scoring.pointwise import score_records

NO_TARGET = Unscored("no target", applicable=False)


@dataclass(frozen=True)
class Says:
    """A scorer that returns, or raises, what the output asks for."""

    metrics: tuple[Metric, ...] = (Metric("m"),)

    def score(self, example: Example, record: Record) -> Mapping[str, Any]:
        if example.target is None:
            return {metric.id: NO_TARGET for metric in self.metrics}
        if isinstance(record.outcome, Failure):
            return {metric.id: Scored(0.0, explanation="failed") for metric in self.metrics}
        output = record.outcome.output
        if isinstance(output, Exception):
            raise output
        if isinstance(output, dict | list):
            return output  # type: ignore[return-value]
        return {metric.id: output for metric in self.metrics}


def evalset(*targets: Any) -> EvalSet:
    examples = tuple(Example(f"e{i}", {}, target) for i, target in enumerate(targets))
    return EvalSet("s", "", examples)


def record(output: Any, variant: str = "a", example: str = "e0", repeat: int = 0) -> Record:
    outcome = output if isinstance(output, Failure) else Answer(output)
    return Record(variant, example, repeat, outcome, AnswerPath.RECORDED)


def one(output: Any, metric: Metric | None = None) -> tuple[float, float, Unscored | None, str]:
    """Value, weight, reason and explanation of a single trial."""
    scorer = Says((metric,)) if metric else Says()
    scores = score_records(evalset("t"), ["a"], 1, [record(output)], [scorer]).metrics[0]
    reason = scores.reason[0, 0, 0]
    return (
        float(scores.value[0, 0, 0]),
        float(scores.weight[0, 0, 0]),
        scores.reasons[reason - 1] if reason else None,
        scores.explanation.get((0, 0, 0), ""),
    )


def test_axes_are_variants_examples_and_repeats() -> None:
    records = [
        record(Scored(float(v * 8 + e * 4 + r)), variant, f"e{e}", r)
        for v, variant in enumerate("ab")
        for e in range(2)
        for r in range(3)
    ]
    metric = Metric("m", lower=None, upper=None)
    table = score_records(evalset("t", "t"), ["a", "b"], 3, records, [Says((metric,))])
    assert table.variants == ("a", "b")
    assert table.example_ids == ("e0", "e1")
    assert table.n_repeats == 3
    v, e, r = np.indices((2, 2, 3))
    np.testing.assert_array_equal(table.metric("m").value, v * 8 + e * 4 + r)
    assert table.metric("m").expected is None


def test_a_score_is_kept_whole() -> None:
    metric = Metric("m", aggregate=Aggregate.RATIO)
    assert one(Scored(0.5, 3.0, "why"), metric) == (0.5, 3.0, None, "why")


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (Unscored("odd"), Unscored("odd")),
        (ValueError("broken"), Unscored("scorer Says raised ValueError: broken")),
        (RecursionError(), Unscored("scorer Says raised RecursionError: ")),
        ({}, Unscored("gave no score")),
        ({"m": None}, Unscored("gave no score")),
        ({"m": 0.5}, Unscored("gave no score")),
        ({"other": Scored(1.0)}, Unscored("gave no score")),
        (Scored(1.5), Unscored("1.5 is more than 1")),
        (Scored(-0.5), Unscored("-0.5 is less than 0")),
    ],
)
def test_what_is_no_score_is_missing(output: Any, reason: Unscored) -> None:
    value, _, found, explanation = one(output)
    assert np.isnan(value)
    assert found == reason
    assert explanation == ""


def test_a_scorer_that_returns_no_mapping_is_missing() -> None:
    found = one([1, 2])[2]
    assert found is not None
    assert found.reason.startswith("scorer Says raised TypeError")


def test_rounding_beyond_a_bound_is_forgiven() -> None:
    assert one(Scored(1 + 1e-12))[0] == 1
    assert one(Scored(-1e-12))[0] == 0
    assert one(Scored(1e9), Metric("m", upper=None))[0] == 1e9


def test_binary_metrics_are_0_or_1() -> None:
    binary = Metric("m", binary=True)
    assert one(Scored(1.0), binary)[0] == 1
    assert one(Scored(0.5), binary)[2] == Unscored("0.5 is neither 0 nor 1")


def test_explanations_are_short_and_can_be_written() -> None:
    long = one(Scored(0.0, explanation="\ud800é" * 1_000))[3]
    assert len(long) == 200
    assert long.endswith("…")
    long.encode()
    reason = one(ValueError("é\ud800" * 1_000))[2]
    assert reason is not None
    assert len(reason.reason) <= 200
    reason.reason.encode()


def test_infrastructure_failures_and_absent_slots_are_missing() -> None:
    timeout = Failure(infrastructure=True, error_kind="timeout")
    table = score_records(evalset("t", "t", "t"), ["a"], 1, [record(timeout)], [Says()])
    scores = table.metrics[0]
    found = [scores.reasons[index - 1] for index in scores.reason.ravel()]
    absent = Unscored("no record")
    assert found == [Unscored("infrastructure failure: timeout"), absent, absent]
    assert scores.applicable.all()
    assert np.isnan(scores.value).all()


def test_a_metric_that_does_not_apply_does_so_in_empty_slots_too() -> None:
    broken = Failure(infrastructure=True, error_kind="")
    records = [record(Scored(1.0)), record(broken, example="e1"), record("x", "b", "e1")]
    table = score_records(evalset("t", None), ["a", "b", "c"], 2, records, [Says()])
    scores = table.metrics[0]
    assert not scores.applicable[:, 1].any()
    assert scores.applicable[:, 0].all()
    assert (~np.isnan(scores.value)).sum() == 1


def test_system_failures_are_scored() -> None:
    failure = Failure(infrastructure=False, error_kind="no_answer")
    assert one(failure) == (0, 1, None, "failed")


def test_classes_are_indices_into_labels() -> None:
    records = [record("x", example="e0"), record("y", example="e1"), record("y", example="e2")]
    table = score_records(evalset("x", "x", None), ["a", "b"], 1, records, [Label(id="l")])
    scores = table.metric("l")
    assert scores.expected is not None
    assert scores.predicted is not None
    assert scores.labels == ("x", "(other)")
    assert scores.expected[:, :, 0].tolist() == [[0, 0, -1], [-1, -1, -1]]
    assert scores.predicted[:, :, 0].tolist() == [[0, 1, -1], [-1, -1, -1]]


def classes_of(scorer: Any, targets: str, outputs: list[Any]) -> tuple[tuple[str, ...], list[Any]]:
    """The labels of `l`, and the predicted one of every trial."""
    records = [record(output, example=f"e{i}") for i, output in enumerate(outputs)]
    table = score_records(evalset(*targets), ["a"], 1, records, [scorer])
    scores = table.metric("l")
    assert scores.predicted is not None
    return scores.labels, [scores.labels[code] for code in scores.predicted.ravel()]


def test_a_class_that_no_example_expects_is_none() -> None:
    outputs = ["x", "secret 1", "secret 2", Failure(infrastructure=False, error_kind=""), "y"]
    labels, predicted = classes_of(Label(id="l"), "xxxxy", outputs)
    assert labels == ("x", "(other)", "(no answer)", "y")
    assert predicted == ["x", "(other)", "(other)", "(no answer)", "y"]


def test_declared_classes_are_kept_though_no_example_expects_them() -> None:
    scorer = Label(id="l", labels=("x", "y", "z"))
    assert classes_of(scorer, "xx", ["y", "w"]) == (("x", "y", "(other)"), ["y", "(other)"])
    abstention = Abstention(id="l", equals=("no",))
    examples = (Example("e0", {}, abstain=False),)
    table = score_records(EvalSet("s", "", examples), ["a"], 1, [record("no")], [abstention])
    assert table.metric("l").labels == ("answer", "abstain")


def test_metrics_of_classes_have_them_even_if_no_trial_does() -> None:
    lost = Failure(infrastructure=True, error_kind="x")
    for table in (
        score_records(evalset(None, None), ["a"], 1, [record("x")], [Label(id="l")]),
        score_records(evalset("x", "y"), ["a"], 1, [record(lost)], [Label(id="l")]),
        score_records(evalset("x"), ["a"], 1, [record("y")], [Label(id="l", labels=("a", "b"))]),
        score_records(evalset(), ["a"], 1, [], [Label(id="l")]),
    ):
        for name in ("l", "l.macro_f1"):
            scores = table.metric(name)
            assert scores.labels == ()
            for codes in (scores.expected, scores.predicted):
                assert codes is not None
                assert codes.shape == scores.value.shape
                assert (codes == -1).all()
    plain = score_records(evalset("x"), ["a"], 1, [record("y")], [ExactMatch(id="m")])
    assert plain.metric("m").expected is None


def test_mistakes_of_the_caller_are_errors() -> None:
    with pytest.raises(ValueError, match="several scorers give the metric m"):
        score_records(evalset("t"), ["a"], 1, [], [Says(), ExactMatch(id="m")])
    with pytest.raises(ValueError, match="two records"):
        score_records(evalset("t"), ["a"], 1, [record("x"), record("y")], [Says()])
    with pytest.raises(ValueError, match="repeat 1 of 1"):
        score_records(evalset("t"), ["a"], 1, [record("x", repeat=1)], [Says()])
    for stranger in (record("x", variant="z"), record("x", example="z")):
        with pytest.raises(KeyError):
            score_records(evalset("t"), ["a"], 1, [stranger], [Says()])


def test_nothing_to_score() -> None:
    table = score_records(evalset(), ["a"], 1, [], [ExactMatch(id="m")])
    assert table.metric("m").value.shape == (1, 0, 1)


outcomes = st.sampled_from(
    ["t", "u", Failure(infrastructure=True, error_kind="x"), Failure(False, "y")]
)
slots = st.dictionaries(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["e0", "e1", "e2"]), st.integers(0, 1)),
    outcomes,
)


def contents(table: ScoreTable) -> dict[tuple[int, ...], Any]:
    scores = table.metric("m")
    return {
        index: (
            value,
            scores.reasons[scores.reason[index] - 1] if scores.reason[index] else None,
            scores.explanation.get(index),
        )
        for index, value in np.ndenumerate(np.nan_to_num(scores.value, nan=-1.0))
    }


@given(slots=slots, data=st.data())
def test_order_of_records_is_irrelevant(slots: dict[Any, Any], data: st.DataObject) -> None:
    records = [record(output, *slot) for slot, output in slots.items()]
    shuffled = data.draw(st.permutations(records))
    tables = [
        score_records(evalset("t", "t", None), "ab", 2, order, [ExactMatch(id="m")])
        for order in (records, shuffled)
    ]
    assert contents(tables[0]) == contents(tables[1])


@given(slots=slots)
def test_nan_exactly_where_there_is_a_reason(slots: dict[Any, Any]) -> None:
    records = [record(output, *slot) for slot, output in slots.items()]
    table = score_records(evalset("t", "t", None), "ab", 2, records, [ExactMatch(id="m")])
    scores = table.metric("m")
    np.testing.assert_array_equal(np.isnan(scores.value), scores.reason != 0)
    assert scores.reason.max() <= len(scores.reasons)
    per_example = scores.applicable.all(axis=(0, 2)) | ~scores.applicable.any(axis=(0, 2))
    assert per_example.all()


def test_recorded_numbers_outside_their_bounds_are_missing() -> None:
    scorer = Field(id="m", output_field="x", lower=0, upper=10)
    records = [record({"x": x}, example=f"e{i}") for i, x in enumerate((10, 10.5, -1))]
    scores = score_records(evalset("t", "t", "t"), ["a"], 1, records, [scorer]).metric("m")
    reasons = [unscored.reason for unscored in scores.reasons]
    assert scores.value[0, 0, 0] == 10
    assert reasons == ["10.5 is more than 10", "-1 is less than 0"]
