"""Every scorer on every record, into one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.core.example import EvalSet, Example
from harness.core.record import AnswerPath, Failure, Record, Status
from harness.core.score import (
    NO_ANSWER,
    OTHER,
    Aggregate,
    IntArray,
    Metric,
    MetricScores,
    Scored,
    ScoreTable,
    Unscored,
)
from harness.core.slots import Slots
from harness.core.values import encodable
from harness.ports import Scorer

_EXPLANATION_CHARACTERS = 200
_ROUNDING = 1e-9
_NO_RECORD = Unscored("no record")


def score_records(
    evalset: EvalSet,
    variants: Sequence[str],
    n_repeats: int,
    records: Iterable[Record],
    scorers: Sequence[Scorer],
) -> ScoreTable:
    """The scores of all records, in arrays of shape (variants, examples, repeats).

    Examples stand in the eval set's order; the order of `records` is irrelevant. A slot without a
    record, an infrastructure failure, a scorer that raises, and a value that its metric does not
    allow are missing, each with its reason. A slot that has no score counts as not applicable
    where the metric does not apply to the example.

    Raises:
        ValueError: if two scorers give a metric of the same id, or two records share a slot.
        KeyError: if a record is of an unknown variant or example.
    """
    examples = {example.id: example for example in evalset.examples}
    slots = Slots.of(variants, list(examples), n_repeats)
    columns = [_ScorerColumns(scorer, slots.shape) for scorer in scorers]
    _refuse_doubled([column.metric.id for each in columns for column in each.columns])
    taken = bytearray(len(slots))
    for record in records:
        slot = slots.index(record.variant, record.example_id, record.repeat)
        if taken[slot]:
            raise ValueError(f"{record.variant} has two records of {record.example_id}")
        taken[slot] = True
        for each in columns:
            each.add(slot, examples[record.example_id], record)
    for slot, is_taken in enumerate(taken):
        if not is_taken:
            for each in columns:
                each.miss(slot, evalset.examples[slot // n_repeats % len(examples)], _NO_RECORD)
    metrics = tuple(column.finish() for each in columns for column in each.columns)
    return ScoreTable(tuple(variants), tuple(examples), n_repeats, metrics)


def _refuse_doubled(ids: Sequence[str]) -> None:
    """Raise ValueError if two scorers give a metric of the same id."""
    if len(set(ids)) < len(ids):
        doubled = sorted({metric_id for metric_id in ids if ids.count(metric_id) > 1})
        raise ValueError(f"several scorers give the metric {', '.join(doubled)}")


class _Classes:
    """The expected and the predicted class of every slot, as codes; -1 where there is none."""

    def __init__(self, size: int) -> None:
        self.expected = np.full(size, -1, np.int32)
        self.predicted = np.full(size, -1, np.int32)
        self._codes: dict[str, int] = {}

    def put(self, slot: int, expected: str, predicted: str) -> None:
        """Keep the classes of a slot."""
        self.expected[slot] = self._codes.setdefault(expected, len(self._codes))
        self.predicted[slot] = self._codes.setdefault(predicted, len(self._codes))

    def closed(self, known: frozenset[str]) -> tuple[IntArray, IntArray, tuple[str, ...]]:
        """Expected and predicted codes and the labels they stand for.

        What is predicted but neither expected anywhere nor in `known` is `OTHER`: texts that
        models make up are no classes, and may be private.
        """
        kept = {*known, NO_ANSWER, OTHER}
        expected = frozenset(np.unique(self.expected).tolist())
        names = [
            name if code in expected or name in kept else OTHER
            for name, code in self._codes.items()
        ]
        labels = {name: code for code, name in enumerate(dict.fromkeys(names))}
        codes = np.array([*(labels[name] for name in names), -1], np.int32)
        return codes[self.expected], codes[self.predicted], tuple(labels)


@dataclass
class _Column:
    """One metric's scores while they are being collected.

    `has_classes` makes room for classes even if no trial gives any.
    """

    metric: Metric
    shape: tuple[int, int, int]
    known_classes: frozenset[str] = frozenset()
    has_classes: bool = False
    reasons: dict[Unscored, int] = field(default_factory=dict)
    explanation: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        size = int(np.prod(self.shape))
        self.value = np.full(size, np.nan)
        self.weight = np.ones(size)
        self.reason = np.zeros(size, np.int32)
        self.classes = _Classes(size) if self.has_classes else None

    def put(self, slot: int, outcome: object) -> None:
        """Keep an outcome; what is none, or breaks the metric's own bounds, is missing."""
        if not isinstance(outcome, Scored):
            unscored = outcome if isinstance(outcome, Unscored) else Unscored("gave no score")
            self.reason[slot] = self._reason(unscored)
            return
        value = _within_bounds(self.metric, outcome.value)
        if isinstance(value, Unscored):
            self.reason[slot] = self._reason(value)
            return
        self.value[slot] = value
        if outcome.weight != 1.0:
            self.weight[slot] = outcome.weight
        if outcome.explanation:
            self.explanation[slot] = shorten(outcome.explanation)
        if outcome.expected is not None and outcome.predicted is not None:
            self.classes = self.classes or _Classes(self.value.size)
            self.classes.put(slot, outcome.expected, outcome.predicted)

    def finish(self) -> MetricScores:
        """The scores in their final shape."""
        n_examples, n_repeats = self.shape[1:]
        explanation = {
            (
                slot // (n_examples * n_repeats),
                slot // n_repeats % n_examples,
                slot % n_repeats,
            ): why
            for slot, why in self.explanation.items()
        }
        classes = self.classes and self.classes.closed(self.known_classes)
        expected, predicted, labels = classes or (None, None, ())
        return MetricScores(
            metric=self.metric,
            value=self.value.reshape(self.shape),
            weight=self.weight.reshape(self.shape),
            reason=self.reason.reshape(self.shape),
            reasons=tuple(self.reasons),
            explanation=explanation,
            expected=None if expected is None else expected.reshape(self.shape),
            predicted=None if predicted is None else predicted.reshape(self.shape),
            labels=labels,
        )

    def _reason(self, unscored: Unscored) -> int:
        if unscored not in self.reasons and len(unscored.reason) > _EXPLANATION_CHARACTERS:
            unscored = Unscored(shorten(unscored.reason), unscored.applicable)
        return self.reasons.setdefault(unscored, len(self.reasons) + 1)


def shorten(text: str) -> str:
    """`text` as an explanation is kept: at most 200 characters, and such as a file can hold."""
    if len(text) > _EXPLANATION_CHARACTERS:
        text = text[: _EXPLANATION_CHARACTERS - 1] + "…"
    return encodable(text)


class _ScorerColumns:
    """The columns of one scorer's metrics while they are being collected."""

    def __init__(self, scorer: Scorer, shape: tuple[int, int, int]) -> None:
        known = frozenset(getattr(scorer, "classes", ()))
        classed = _with_classes(scorer.metrics)
        self._scorer = scorer
        self.columns = [
            _Column(metric, shape, known, metric.id in classed) for metric in scorer.metrics
        ]
        self._unanswered: dict[str, Mapping[str, object]] = {}

    def add(self, slot: int, example: Example, record: Record) -> None:
        """Score a record."""
        if record.status is Status.INFRASTRUCTURE_FAILURE:
            self.miss(slot, example, _infrastructure_failure(record))
            return
        outcomes = _outcomes(self._scorer, example, record)
        for column in self.columns:
            column.put(slot, outcomes.get(column.metric.id))

    def miss(self, slot: int, example: Example, missing: Unscored) -> None:
        """Keep that nothing can be scored: not applicable where the metric is not, else missing.

        Whether a metric applies hangs on the example alone, so any record of it can be asked about:
        here a failure of the system, which every scorer has to accept.
        """
        if example.id not in self._unanswered:
            failure = Failure(infrastructure=False, error_kind="")
            record = Record("", example.id, 0, failure, AnswerPath.RECORDED)
            self._unanswered[example.id] = _outcomes(self._scorer, example, record)
        for column in self.columns:
            outcome = self._unanswered[example.id].get(column.metric.id)
            applies = not isinstance(outcome, Unscored) or outcome.applicable
            column.put(slot, missing if applies else outcome)


def _with_classes(metrics: Sequence[Metric]) -> set[str]:
    """Metrics that always have classes: a macro F1 (`intent.macro_f1`) and its base (`intent`)."""
    macro = {metric.id for metric in metrics if metric.aggregate is Aggregate.MACRO_F1}
    return macro | {metric_id.rpartition(".")[0] for metric_id in macro}


def _outcomes(scorer: Scorer, example: Example, record: Record) -> Mapping[str, object]:
    try:
        return dict(scorer.score(example, record))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - one record must not end the run, whatever it holds
        name = type(scorer).__name__
        missing = Unscored(f"scorer {name} raised {type(error).__name__}: {shorten(str(error))}")
        return {metric.id: missing for metric in scorer.metrics}


def _infrastructure_failure(record: Record) -> Unscored:
    kind = record.outcome.error_kind if isinstance(record.outcome, Failure) else ""
    return Unscored(f"infrastructure failure: {kind}" if kind else "infrastructure failure")


def _within_bounds(metric: Metric, value: float) -> float | Unscored:
    """The value, freed of rounding errors beyond a bound; missing if the metric cannot have it."""
    if metric.binary and value not in (0.0, 1.0):
        return Unscored(f"{value:.6g} is neither 0 nor 1")
    if metric.lower is not None and value < metric.lower:
        near = value >= metric.lower - _ROUNDING
        return metric.lower if near else Unscored(f"{value:.6g} is less than {metric.lower:.6g}")
    if metric.upper is not None and value > metric.upper:
        near = value <= metric.upper + _ROUNDING
        return metric.upper if near else Unscored(f"{value:.6g} is more than {metric.upper:.6g}")
    return value
