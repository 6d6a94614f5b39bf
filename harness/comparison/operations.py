"""What answers took: latency quantiles and cost, per variant and slice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.comparison.columns import Column
from harness.comparison.subject import Subject, local_clusters
from harness.core.comparison import CostEstimate, LatencyEstimate
from harness.core.example import ALL
from harness.core.experiment import Analysis
from harness.core.record import AnswerPath
from harness.core.score import Aggregate, FloatArray, IntArray, TrialState
from harness.statistics.estimates import mean_estimate
from harness.statistics.quantiles import quantile_estimate
from harness.statistics.ratios import Interval

ANSWERED = (TrialState.OK, TrialState.SYSTEM_FAILURE)
"""Trial states whose latency is the system's own: answers and failures of the system."""


def latency_estimates(subject: Subject) -> list[LatencyEstimate]:
    """Quantiles for every variant, path and slice in which a latency is known.

    Repeats of one example, and examples of one cluster, are not independent of one another.
    Cold, warm, cached and recorded answers are never mixed.
    """
    trials = subject.trials
    known = np.isfinite(trials.latency_s) & np.isin(trials.status, ANSWERED)
    result = []
    for name, rows in subject.slices.items():
        for variant in range(len(subject.variants)):
            for code, path in enumerate(AnswerPath, start=1):
                chosen = known & (trials.path == code)
                values, clusters = flat(subject, trials.latency_s, chosen, variant, rows)
                if len(values):
                    times = values, clusters
                    result.append(latency_estimate(subject, variant, path, name, times))
    return result


def cost_estimates(subject: Subject, right: Column | None) -> list[CostEstimate]:
    """Cost for every variant and slice in which any cost is known.

    Args:
        subject: the run.
        right: the first primary metric, if an answer can be right by it: divides the total cost.
    """
    trials = subject.trials
    known = np.isfinite(trials.cost_usd)
    expected = np.isin(trials.status, ANSWERED)
    result = []
    for name, rows in subject.slices.items():
        for variant, facts in enumerate(subject.variants):
            values, clusters = flat(subject, trials.cost_usd, known, variant, rows)
            if not len(values):
                continue
            complete = bool((known[variant, rows] | ~expected[variant, rows]).all())
            mean, low, high = cost_estimate(values, clusters, subject.analysis)
            total = float(values.sum()) if complete else None
            result.append(
                CostEstimate(
                    variant=facts.id,
                    slice=name,
                    n=len(values),
                    mean_usd=mean,
                    ci_low_usd=low,
                    ci_high_usd=high,
                    total_usd=total,
                    per_correct_usd=_per_correct(right, variant, rows, total, trials.status),
                    judge_usd=subject.judged.judge_usd.get(facts.id, 0.0) if name == ALL else 0.0,
                )
            )
    return result


def right_or_wrong(columns: Sequence[Column], metric_id: str) -> Column | None:
    """The column of a metric by which an answer is right or wrong, or None."""
    for column in columns:
        metric = column.metric
        if metric.id == metric_id and metric.binary and metric.aggregate is Aggregate.MEAN:
            return column if metric.higher_is_better else None
    return None


def cost_estimate(values: FloatArray, clusters: IntArray | None, analysis: Analysis) -> Interval:
    """The mean cost and its interval.

    A price that never varies is known exactly, once enough examples have shown that.
    """
    estimate = mean_estimate(values, clusters, (None, None), analysis.confidence)
    if np.ptp(values) == 0 and len(values) >= analysis.min_examples:
        return estimate.value, estimate.value, estimate.value
    return estimate.value, estimate.low, estimate.high


def latency_estimate(
    subject: Subject,
    variant: int,
    path: AnswerPath,
    slice_name: str,
    times: tuple[FloatArray, IntArray | None],
) -> LatencyEstimate:
    """p50 and p95 of some trials' times in seconds (with the cluster of each), as an entry."""
    values, clusters = times
    p50, p95 = (
        quantile_estimate(values, clusters, share, subject.analysis.confidence)
        for share in (0.5, 0.95)
    )
    return LatencyEstimate(
        variant=subject.variants[variant].id,
        path=path.value,
        slice=slice_name,
        n=len(values),
        p50_s=p50.value,
        p50_ci_low_s=p50.low,
        p50_ci_high_s=p50.high,
        p95_s=p95.value,
        p95_ci_low_s=p95.low,
        p95_ci_high_s=p95.high,
    )


def flat(
    subject: Subject, table: FloatArray, known: NDArray[np.bool_], variant: int, rows: IntArray
) -> tuple[FloatArray, IntArray | None]:
    """The known trials' values of `rows` in one axis, with the cluster of each."""
    chosen = known[variant, rows]
    which, _ = np.nonzero(chosen)
    of_example = rows if subject.clusters is None else subject.clusters[rows]
    values: FloatArray = table[variant, rows][chosen]
    return values, local_clusters(of_example, which.astype(np.int32))


def _per_correct(
    right: Column | None,
    variant: int,
    rows: IntArray,
    total: float | None,
    status: NDArray[np.int8],
) -> float | None:
    """Total cost over the number of right trials; None where either is unknown or none is right."""
    if right is None or total is None:
        return None
    tries = np.isin(status[variant, rows], ANSWERED).sum(axis=1)
    n_right = float((right.value[variant, rows] * tries).sum())
    return total / n_right if n_right > 0 else None
