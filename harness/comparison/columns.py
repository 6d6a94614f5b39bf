"""The columns that are compared: a metric's example values, and what its kind needs besides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.core.example_values import ExampleValues, example_values
from harness.core.score import IntArray, MetricScores


@dataclass(frozen=True, slots=True)
class Column(ExampleValues):
    """One metric's example values.

    `independent` tells that each value is one 0/1 outcome; `n_scored` (variants, examples) counts
    the repeats that have a score. For macro F1, `expected` and `predicted`
    are (variants, examples, repeats): codes of classes, -1 where there is none.
    """

    independent: bool
    n_scored: IntArray
    expected: IntArray | None = None
    predicted: IntArray | None = None


def columns(scores: MetricScores) -> list[Column]:
    """The metric's column, and those of pass^k and pass@k where there are repeats."""
    n_scored = np.count_nonzero(scores.reason == 0, axis=2).astype(np.int32)
    return [
        Column(
            values.metric,
            values.value,
            values.weight,
            values.scored,
            values.applicable,
            independent=values.metric.binary and scores.value.shape[2] == 1,
            n_scored=n_scored,
            expected=scores.expected,
            predicted=scores.predicted,
        )
        for values in example_values(scores)
    ]
