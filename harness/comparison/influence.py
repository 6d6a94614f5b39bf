"""A variant's figure on some examples, as the mean of one number per example.

A mean is that already. A ratio of sums and a macro F1 are linearised: the numbers average to the
figure, and their spread around it is the figure's own (the delta method; Binder 1983 for ratios).
So one machinery gives intervals and paired tests for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.comparison.columns import Column
from harness.core.score import Aggregate, FloatArray, IntArray

_LEAST_CLASS = 5
"""Expected and predicted examples of a class, together, below which F1 gets no interval."""
THIN = "undefined: a class has fewer than 5 examples"


def linearised(column: Column, variant: int, rows: IntArray) -> FloatArray:
    """Shape (len(rows),): numbers whose mean is the figure and whose spread is its own."""
    match column.metric.aggregate:
        case Aggregate.MEAN:
            values: FloatArray = column.value[variant, rows]
            return values
        case Aggregate.RATIO:
            return _ratio(
                column.value[variant, rows] * column.weight[variant, rows],
                column.weight[variant, rows],
            )
        case Aggregate.MACRO_F1:
            return _macro_f1(column, variant, rows)


def informative(column: Column, variant: int, rows: IntArray) -> IntArray:
    """Those of `rows` that tell something of the figure: in a ratio, those with a weight."""
    scored: IntArray = rows[column.scored[variant, rows]]
    if column.metric.aggregate is Aggregate.RATIO:
        scored = scored[column.weight[variant, scored] > 0]
    return scored


def too_thin(column: Column, variants: Sequence[int], rows: IntArray) -> bool:
    """Whether a macro F1 on `rows` rests on a class so small that linearising it is untrue.

    A class of one or two examples has an F1 that jumps; its share in the spread says nothing.
    """
    if column.expected is None or column.predicted is None:
        return False
    chosen = [column.expected[v, rows] + column.predicted[v, rows] for v in variants]
    sizes = np.array([counts.sum(axis=0) for counts in chosen])
    return bool(((sizes > 0) & (sizes < _LEAST_CLASS)).any())


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    total = denominator.sum()
    if total == 0:
        return np.zeros_like(numerator)
    ratio = numerator.sum() / total
    result: FloatArray = ratio + (numerator - ratio * denominator) / denominator.mean()
    return result


def _macro_f1(column: Column, variant: int, rows: IntArray) -> FloatArray:
    """F1 of a class is 2 x right over expected + predicted; classes that occur count alike."""
    assert column.right is not None and column.expected is not None  # noqa: S101, PT018
    assert column.predicted is not None  # noqa: S101
    numerator = 2 * column.right[variant, rows]
    denominator = column.expected[variant, rows] + column.predicted[variant, rows]
    occurs = denominator.sum(axis=0) > 0
    numerator, denominator = numerator[:, occurs], denominator[:, occurs]
    f1 = numerator.sum(axis=0) / denominator.sum(axis=0)
    spread = (numerator - f1 * denominator) / denominator.mean(axis=0)
    result: FloatArray = f1.mean() + spread.mean(axis=1)
    return result
