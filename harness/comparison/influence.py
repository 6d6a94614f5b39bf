"""A variant's figure on some examples, as the mean of one number per example.

A mean is that already. A ratio of sums and a macro F1 are linearised: the numbers average to the
figure, and their spread around it is the figure's own (the delta method; Binder 1983 for ratios).
So one machinery gives intervals and paired tests for all of them.
"""

from __future__ import annotations

import numpy as np

from harness.comparison.columns import Column
from harness.core.score import Aggregate, FloatArray, IntArray

_LEAST_CLASS = 10
"""Expected examples of a class below which a macro F1 gets no interval: its F1 jumps."""
THIN = f"undefined: a class has fewer than {_LEAST_CLASS} examples"
NOTHING = "undefined: one side has nothing to count"


def linearised(column: Column, variant: int, rows: IntArray) -> FloatArray:
    """Shape (len(rows),): numbers whose mean is the figure and whose spread is its own."""
    match column.metric.aggregate:
        case Aggregate.MEAN:
            values: FloatArray = column.value[variant, rows]
            return values
        case Aggregate.RATIO:
            weight = column.weight[variant, rows]
            return _ratio(column.value[variant, rows] * weight, weight)
        case Aggregate.MACRO_F1:
            return _macro_f1(column, variant, rows)


def informative(column: Column, variants: tuple[int, ...], rows: IntArray) -> IntArray:
    """Those of `rows` that all `variants` have scores for.

    In a ratio, one of them must have something to count besides.
    """
    chosen = np.array(variants)
    scored: IntArray = rows[column.scored[np.ix_(chosen, rows)].all(axis=0)]
    if column.metric.aggregate is Aggregate.RATIO:
        scored = scored[(column.weight[np.ix_(chosen, scored)] > 0).any(axis=0)]
    return scored


def coverage(
    column: Column, n_trials: IntArray, variants: tuple[int, ...], rows: IntArray
) -> float:
    """The share of the trials of `rows` that have a score with every one of the variants."""
    if not len(rows):
        return 0.0
    chosen = np.ix_(np.array(variants), rows)
    shares = column.n_scored[chosen] / np.maximum(n_trials[chosen], 1)
    return float(shares.min(axis=0).mean())


def undefined(column: Column, variants: tuple[int, ...], rows: IntArray) -> str:
    """Why there is no figure (`NOTHING`) or no interval (`THIN`) on `rows`; empty if there is."""
    match column.metric.aggregate:
        case Aggregate.RATIO if not _has_weight(column, variants, rows):
            return NOTHING
        case Aggregate.MACRO_F1:
            sizes = np.bincount(_expected_classes(column, variants[0], rows))
            return THIN if (sizes[sizes > 0] < _LEAST_CLASS).any() else ""
        case _:
            return ""


def _has_weight(column: Column, variants: tuple[int, ...], rows: IntArray) -> bool:
    """Whether each of the variants has something to count on `rows`."""
    return all(bool(column.weight[variant, rows].any()) for variant in variants)


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    ratio = numerator.sum() / denominator.sum()
    result: FloatArray = ratio + (numerator - ratio * denominator) / denominator.mean()
    return result


def _macro_f1(column: Column, variant: int, rows: IntArray) -> FloatArray:
    """The mean of F1 over the classes that are expected on `rows`.

    F1 of a class is 2 x right over expected + predicted. What is predicted and never expected is a
    miss of the expected class and no class of its own, so that variants average over the same
    classes. Repeats of an example share its weight.
    """
    assert column.expected is not None and column.predicted is not None  # noqa: S101, PT018
    expected, predicted = column.expected[variant, rows], column.predicted[variant, rows]
    given = expected >= 0
    weight = given / np.maximum(given.sum(axis=1, keepdims=True), 1)
    size = int(max(expected.max(), predicted.max())) + 1

    def counted(codes: IntArray, where: np.ndarray) -> FloatArray:
        total = np.bincount(codes[where], weights=weight[where], minlength=size)
        return total.astype(np.float64, copy=False)

    hit = given & (expected == predicted)
    wanted = counted(expected, given)
    both = wanted + counted(predicted, given & (predicted >= 0))
    is_class = wanted > 0
    f1 = np.divide(2 * counted(expected, hit), both, out=np.zeros(size), where=is_class)
    per_count = np.divide(len(rows), both, out=np.zeros(size), where=is_class)
    pull = f1 * per_count
    spread = 2 * hit * per_count[expected] - given * pull[expected]
    spread = spread - np.where(predicted >= 0, pull[predicted], 0.0) * given
    n_classes = int(is_class.sum())
    result: FloatArray = f1.sum() / n_classes + (spread * weight).sum(axis=1) / n_classes
    return result


def _expected_classes(column: Column, variant: int, rows: IntArray) -> IntArray:
    """The class of every example of `rows`, once."""
    assert column.expected is not None  # noqa: S101
    classes: IntArray = column.expected[variant, rows].max(axis=1)
    return classes[classes >= 0]
