"""The columns that are compared: a metric's example values, and what its kind needs besides."""

from __future__ import annotations

from dataclasses import dataclass

from harness.core.example_values import ExampleValues, example_values
from harness.core.score import IntArray, MetricScores


@dataclass(frozen=True, slots=True)
class Column(ExampleValues):
    """One metric's example values.

    `independent` tells that each value is one 0/1 outcome. For macro F1, `expected` and `predicted`
    are (variants, examples, repeats): codes of classes, -1 where there is none.
    """

    independent: bool
    expected: IntArray | None = None
    predicted: IntArray | None = None


def columns(scores: MetricScores) -> list[Column]:
    """The metric's column, and those of pass^k and pass@k where there are repeats."""
    return [
        Column(
            values.metric,
            values.value,
            values.weight,
            values.scored,
            values.applicable,
            independent=values.metric.binary and scores.value.shape[2] == 1,
            expected=scores.expected,
            predicted=scores.predicted,
        )
        for values in example_values(scores)
    ]
