"""Quantiles with order-statistic intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.core.score import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class QuantileEstimate:
    """A quantile and its interval; an end that the sample is too small for is None."""

    value: float
    low: float | None
    high: float | None


def quantile_estimate(
    values: FloatArray, clusters: IntArray | None, share: float, confidence: float
) -> QuantileEstimate:
    """The `share` quantile (linear between order statistics) with an interval of order statistics.

    The ranks are binomial quantiles (Conover 1999, 3.2; the same interval as
    `scipy.stats.quantile_test`). Values within a cluster (repeats of one example, turns of one
    conversation) are not independent: the ranks then come from the sample size that is left after
    dividing by the design effect of being below the quantile (Woodruff 1952).

    Args:
        values: shape (n,), n >= 1, finite.
        clusters: shape (n,), codes of dependent groups; None where all are independent.
        share: 0.95 for the p95.
        confidence: two-sided.
    """
    from scipy.special import bdtr

    ordered = np.sort(values)
    n = len(ordered)
    value = float(np.quantile(ordered, share))
    effective = n / _design_effect(values <= value, clusters)
    whole = max(1, int(effective))
    tail = (1 - confidence) / 2
    at_most = bdtr(np.arange(whole + 1), whole, share)
    low_rank = int(np.searchsorted(at_most, tail, side="right"))
    high_rank = int(np.searchsorted(at_most, 1 - tail, side="left")) + 1
    stretch = n / whole
    low = float(ordered[int((low_rank - 1) * stretch)]) if low_rank >= 1 else None
    high = (
        float(ordered[min(n, int(np.ceil(high_rank * stretch))) - 1])
        if high_rank <= whole
        else None
    )
    return QuantileEstimate(value, low, high)


def _design_effect(below: np.ndarray, clusters: IntArray | None) -> float:
    """Variance of a share with clusters respected, over that of independent draws; at least 1."""
    if clusters is None:
        return 1.0
    share = below.mean()
    sums = np.bincount(clusters, weights=below - share)
    n_clusters = int((np.bincount(clusters) > 0).sum())
    if share in (0, 1) or n_clusters < 2:
        return 1.0
    robust = n_clusters / (n_clusters - 1) * (sums**2).sum()
    return max(1.0, float(robust / (len(below) * share * (1 - share))))
