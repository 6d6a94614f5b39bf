"""Confusion tables and per-class figures of metrics that have classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from harness.core.comparison import ClassEstimate, ConfusionCell
from harness.core.score import NO_CLASSES, Aggregate, MetricScores


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
            counts = _counts(scores, index)
            classes += _classes(variant, scores, counts)
            cells += [
                ConfusionCell(
                    variant=variant,
                    metric=scores.metric.id,
                    expected=scores.labels[expected],
                    predicted=scores.labels[predicted],
                    n=n,
                )
                for (expected, predicted), n in counts.items()
            ]
    return classes, cells


def _counts(scores: MetricScores, variant: int) -> dict[tuple[int, int], int]:
    """How many trials were one class and came out as another, for pairs that occur."""
    assert scores.expected is not None and scores.predicted is not None  # noqa: S101, PT018
    expected, predicted = scores.expected[variant].ravel(), scores.predicted[variant].ravel()
    known = (expected >= 0) & (predicted >= 0)
    size = max(1, len(scores.labels))
    codes, counts = np.unique(
        expected[known].astype(np.int64) * size + predicted[known], return_counts=True
    )
    return {
        (int(code) // size, int(code) % size): int(n) for code, n in zip(codes, counts, strict=True)
    }


def _classes(
    variant: str, scores: MetricScores, counts: dict[tuple[int, int], int]
) -> list[ClassEstimate]:
    n_expected, n_predicted = Counter[int](), Counter[int]()
    for (expected, predicted), n in counts.items():
        n_expected[expected] += n
        n_predicted[predicted] += n
    result = []
    for index, label in enumerate(scores.labels):
        wanted, given = n_expected[index], n_predicted[index]
        if label in NO_CLASSES or not wanted + given:
            continue
        right = counts.get((index, index), 0)
        result.append(
            ClassEstimate(
                variant=variant,
                metric=scores.metric.id,
                label=label,
                n_expected=wanted,
                n_predicted=given,
                precision=right / given if given else None,
                recall=right / wanted if wanted else None,
                f1=2 * right / (wanted + given),
            )
        )
    return result
