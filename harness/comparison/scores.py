"""Each variant's own figure per metric and slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.comparison.columns import Column
from harness.comparison.influence import coverage, informative, linearised, undefined
from harness.comparison.subject import Subject, local_clusters
from harness.core.comparison import ScoreEstimate
from harness.core.score import Aggregate, IntArray
from harness.statistics.estimates import mean_estimate


def score_estimates(subject: Subject, columns: Sequence[Column]) -> list[ScoreEstimate]:
    """A figure for every variant, metric and slice in which the metric applies at all."""
    return [
        _score(subject, column, variant, name, rows[column.applicable[rows]])
        for column in columns
        for name, rows in subject.slices.items()
        if column.applicable[rows].any()
        for variant in range(len(subject.variants))
    ]


def _score(
    subject: Subject, column: Column, variant: int, slice_name: str, rows: IntArray
) -> ScoreEstimate:
    metric = column.metric
    n_missing = int(np.count_nonzero(~column.scored[variant, rows]))
    used = informative(column, (variant,), rows)
    estimate = None
    if len(used):
        estimate = mean_estimate(
            linearised(column, variant, used),
            local_clusters(subject.clusters, used),
            (metric.lower, metric.upper),
            subject.analysis.confidence,
            binary=column.independent and metric.aggregate is Aggregate.MEAN,
        )
        if why := undefined(column, (variant,), used):
            estimate = replace(estimate, low=None, high=None, method=why)
    return ScoreEstimate(
        variant=subject.variants[variant].id,
        metric=metric.id,
        slice=slice_name,
        n=len(used),
        n_missing=n_missing,
        coverage=coverage(column, subject.n_trials, (variant,), rows),
        mean=estimate.value if estimate else None,
        standard_error=estimate.standard_error if estimate else None,
        ci_low=estimate.low if estimate else None,
        ci_high=estimate.high if estimate else None,
        method=estimate.method if estimate else "no data",
    )
