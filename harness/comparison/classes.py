"""Confusion tables and per-class figures of metrics that have classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.core.comparison import ClassEstimate, ConfusionCell
from harness.core.score import NO_CLASSES, Aggregate, IntArray, MetricScores


def confusion_tables(
    variants: Sequence[str], metrics: Sequence[MetricScores]
) -> tuple[list[ClassEstimate], list[ConfusionCell]]:
    """Over all trials: each class's precision, recall and F1, and the cells that are not empty."""
    classes: list[ClassEstimate] = []
    cells: list[ConfusionCell] = []
    for scores in metrics:
        if scores.metric.aggregate is not Aggregate.MEAN:
            continue
        if scores.expected is None or scores.predicted is None:
            continue
        for index, variant in enumerate(variants):
            table = _counts(scores, index)
            classes += _classes(variant, scores, table)
            cells += [
                ConfusionCell(
                    variant=variant,
                    metric=scores.metric.id,
                    expected=scores.labels[row],
                    predicted=scores.labels[column],
                    n=int(table[row, column]),
                )
                for row, column in zip(*np.nonzero(table), strict=True)
            ]
    return classes, cells


def _counts(scores: MetricScores, variant: int) -> IntArray:
    assert scores.expected is not None and scores.predicted is not None  # noqa: S101, PT018
    expected, predicted = scores.expected[variant].ravel(), scores.predicted[variant].ravel()
    known = (expected >= 0) & (predicted >= 0)
    size = len(scores.labels)
    table = np.zeros((size, size), dtype=np.int32)
    np.add.at(table, (expected[known], predicted[known]), 1)
    return table


def _classes(variant: str, scores: MetricScores, table: IntArray) -> list[ClassEstimate]:
    result = []
    for index, label in enumerate(scores.labels):
        n_expected, n_predicted = int(table[index].sum()), int(table[:, index].sum())
        if label in NO_CLASSES or not n_expected + n_predicted:
            continue
        right = int(table[index, index])
        result.append(
            ClassEstimate(
                variant=variant,
                metric=scores.metric.id,
                label=label,
                n_expected=n_expected,
                n_predicted=n_predicted,
                precision=right / n_predicted if n_predicted else None,
                recall=right / n_expected if n_expected else None,
                f1=2 * right / (n_expected + n_predicted),
            )
        )
    return result
