"""A metric's scores brought to the unit of analysis: one value per variant and example."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import comb

import numpy as np
from numpy.typing import NDArray

from harness.core.score import Aggregate, FloatArray, Metric, MetricScores

TIE = 1e-12
"""Values no further apart than this are the same."""
_MOST_POWERS = 5


@dataclass(frozen=True, slots=True)
class ExampleValues:
    """One metric, repeats averaged inside each example. Arrays are (variants, examples).

    `value` is the example's own score and `weight` its weight in a ratio; both are 0 where
    `scored` is False. `applicable` (examples,) is False where the metric does not apply.
    """

    metric: Metric
    value: FloatArray
    weight: FloatArray
    scored: NDArray[np.bool_]
    applicable: NDArray[np.bool_]

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Where there is something to count: scored and, in a ratio, of a weight above 0."""
        if self.metric.aggregate is not Aggregate.RATIO:
            return self.scored
        return self.scored & (self.weight > 0)


def example_values(scores: MetricScores) -> list[ExampleValues]:
    """The metric's values, and those of pass^k and pass@k where there are repeats."""
    plain = _plain(scores)
    powers = _powers(scores.metric, scores.value.shape[2])
    return [plain, *(_power(scores, plain, k, sign) for sign in "^@" for k in powers)]


def derived_metric_ids(metric: Metric, repeats: int) -> list[str]:
    """Ids of the metrics that repeats add to a metric: `correct.pass^2`, `correct.pass@2` ..."""
    return [_power_id(metric, k, sign) for sign in "^@" for k in _powers(metric, repeats)]


def signs(metric: Metric, apart: FloatArray, counted: NDArray[np.bool_]) -> FloatArray:
    """1 where the candidate is better on an example, -1 where worse, 0 where neither.

    Args:
        metric: tells which way is up.
        apart: candidate minus baseline, per example.
        counted: where both have something to count; elsewhere neither is better.
    """
    found: FloatArray = np.where(counted & (np.abs(apart) > TIE), np.sign(apart), 0.0)
    return found if metric.higher_is_better else -found


def _plain(scores: MetricScores) -> ExampleValues:
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
    applicable = np.asarray(scores.applicable.all(axis=(0, 2)))
    return ExampleValues(scores.metric, value, weight, counts > 0, applicable)


def _powers(metric: Metric, repeats: int) -> list[int]:
    """The k of pass^k: for metrics by which a single try is right or wrong."""
    if not (metric.binary and metric.higher_is_better and metric.aggregate is Aggregate.MEAN):
        return []
    return [k for k in range(2, repeats + 1) if k <= _MOST_POWERS or k == repeats]


def _power_id(metric: Metric, k: int, sign: str) -> str:
    return f"{metric.id}.pass{sign}{k}"


def _power(scores: MetricScores, plain: ExampleValues, k: int, sign: str) -> ExampleValues:
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
        plain.metric,
        id=_power_id(plain.metric, k, sign),
        binary=False,
        description=f"chance that {every} of {k} tries would be right",
    )
    value = np.where(enough, value, 0.0)
    return ExampleValues(metric, value, enough.astype(np.float64), enough, plain.applicable)
