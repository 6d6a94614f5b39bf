"""A metric's scores brought to the unit of analysis: one value per variant and example."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import comb

import numpy as np
from numpy.typing import NDArray

from harness.core.score import (
    NO_CLASSES,
    Aggregate,
    FloatArray,
    IntArray,
    Metric,
    MetricScores,
)

_MOST_POWERS = 5


@dataclass(frozen=True, slots=True)
class Column:
    """One metric, repeats averaged inside each example. Arrays are (variants, examples).

    `value` is the example's own score and `weight` its weight in a ratio; both are 0 where
    `scored` is False. `applicable` (examples,) is False where the metric does not apply.
    `independent` tells that each value is one 0/1 outcome. For macro F1, `right`, `expected` and
    `predicted` are (variants, examples, classes): shares of the example's repeats.
    """

    metric: Metric
    value: FloatArray
    weight: FloatArray
    scored: NDArray[np.bool_]
    applicable: NDArray[np.bool_]
    independent: bool
    right: FloatArray | None = None
    expected: FloatArray | None = None
    predicted: FloatArray | None = None


def columns(scores: MetricScores) -> list[Column]:
    """The metric's column, and those of pass^k and pass@k where there are repeats."""
    column = _column(scores)
    repeats = scores.value.shape[2]
    if not scores.metric.binary or repeats < 2 or scores.metric.aggregate is not Aggregate.MEAN:
        return [column]
    powers = [k for k in range(2, repeats + 1) if k <= _MOST_POWERS or k == repeats]
    return [column, *(_power(scores, column, k, sign) for sign in "^@" for k in powers)]


def derived_metric_ids(metric: Metric, repeats: int) -> list[str]:
    """Ids of the metrics that repeats add to a metric: `correct.pass^2`, `correct.pass@2` ..."""
    if not metric.binary or repeats < 2 or metric.aggregate is not Aggregate.MEAN:
        return []
    powers = [k for k in range(2, repeats + 1) if k <= _MOST_POWERS or k == repeats]
    return [f"{metric.id}.pass{sign}{k}" for sign in "^@" for k in powers]


def _column(scores: MetricScores) -> Column:
    present = scores.reason == 0
    counts = present.sum(axis=2)
    divisor = np.maximum(counts, 1)
    raw_weight = np.where(present, scores.weight, 0.0)
    raw_value = np.where(present, scores.value, 0.0)
    weight = raw_weight.sum(axis=2) / divisor
    if scores.metric.aggregate is Aggregate.RATIO:
        numerator = (raw_weight * raw_value).sum(axis=2) / divisor
        value = np.divide(numerator, weight, out=np.zeros_like(weight), where=weight > 0)
    else:
        value = raw_value.sum(axis=2) / divisor
    column = Column(
        metric=scores.metric,
        value=value,
        weight=weight,
        scored=counts > 0,
        applicable=np.asarray(scores.applicable.all(axis=(0, 2))),
        independent=scores.metric.binary and scores.value.shape[2] == 1,
    )
    if scores.metric.aggregate is Aggregate.MACRO_F1:
        return _with_classes(column, scores, divisor)
    return column


def _with_classes(column: Column, scores: MetricScores, divisor: IntArray) -> Column:
    """Adds each example's share of every class, as expected, predicted and both."""
    assert scores.expected is not None  # noqa: S101 - scorers of classes give both
    assert scores.predicted is not None  # noqa: S101
    n_classes = len(scores.labels)
    one_hot = np.eye(n_classes + 1)[:, :n_classes]
    expected = one_hot[scores.expected]
    is_class = np.array([label not in NO_CLASSES for label in scores.labels], dtype=np.float64)
    predicted = one_hot[scores.predicted] * is_class
    share = divisor[:, :, None]
    return replace(
        column,
        right=(expected * predicted).sum(axis=2) / share,
        expected=expected.sum(axis=2) / share,
        predicted=predicted.sum(axis=2) / share,
    )


def _power(scores: MetricScores, column: Column, k: int, sign: str) -> Column:
    """pass^k (all of k tries right) or pass@k (any right), unbiased from n tries.

    With c of n right: C(c, k) / C(n, k), and 1 - C(n - c, k) / C(n, k) (Chen et al. 2021).
    Examples with fewer than k tries are missing.
    """
    present = scores.reason == 0
    tries = present.sum(axis=2)
    right = (np.where(present, scores.value, 0.0) > 0.5).sum(axis=2)
    most = scores.value.shape[2]
    choose = np.array([comb(n, k) for n in range(most + 1)], dtype=np.float64)
    enough = tries >= k
    ways = np.where(enough, choose[tries], 1.0)
    value = choose[right] / ways if sign == "^" else 1.0 - choose[tries - right] / ways
    every = "all" if sign == "^" else "at least one"
    metric = replace(
        column.metric,
        id=f"{column.metric.id}.pass{sign}{k}",
        binary=False,
        description=f"chance that {every} of {k} tries would be right",
    )
    return replace(
        column,
        metric=metric,
        value=np.where(enough, value, 0.0),
        weight=enough.astype(np.float64),
        scored=enough,
        independent=False,
    )
