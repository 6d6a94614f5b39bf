"""Means and paired differences with intervals that hold when outcomes are rare, few,
clustered or repeated.

One idea serves all cases. A mean of values between 0 and 1 has at most a share's variance; the
ratio of its real variance, clusters respected, to a share's is the dispersion. Dividing the counts
by the dispersion gives the share of an independent sample that is known as well, and the score
intervals of `harness.statistics.binomial` apply. The dispersion is itself an estimate: it is shrunk
towards a cautious value with the weight of a few events, so that an interval neither collapses
when no event was seen nor trusts the spread of two. A paired difference is treated alike, as wins and
losses of one magnitude that match the mean, the mean square and the variance of the differences.
docs/statistics.md derives it and reports the simulations that chose the weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.core.score import FloatArray, IntArray
from harness.statistics import binomial

_PRIOR_EVENTS_MEAN = 1.0
_PRIOR_EVENTS_PAIR = 2.0
_PRIOR_EVENTS_MAGNITUDE = 1.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, its standard error and interval, and the names of the methods behind them.

    The ends are None where the data say nothing about them.
    """

    value: float
    standard_error: float
    low: float | None
    high: float | None
    method: str


def mean_estimate(
    values: FloatArray,
    clusters: IntArray | None,
    bounds: tuple[float | None, float | None],
    confidence: float,
    *,
    binary: bool = False,
) -> Estimate:
    """The mean of `values`, one per example, with its interval.

    Args:
        values: shape (n,), n >= 1, finite.
        clusters: shape (n,), codes of dependent groups; None where all are independent.
        bounds: the least and the largest value that can occur; None where unknown, and then
            the observed ones serve.
        confidence: two-sided.
        binary: each value is an independent 0 or 1.
    """
    n = len(values)
    mean = float(values.mean())
    sums, _ = _cluster_sums(values - mean, clusters)
    n_clusters = len(sums)
    variance = _variance_of_mean(sums, n)
    standard_error = math.sqrt(variance)
    low_bound, high_bound = _range(values, bounds)
    span = high_bound - low_bound
    if span <= 0:
        return Estimate(mean, standard_error, None, None, "undefined: no spread, no known range")
    share = min(max((mean - low_bound) / span, 0.0), 1.0)
    if binary and clusters is None:
        exact = n < binomial.EXACT_BELOW_N
        interval = binomial.clopper_pearson if exact else binomial.wilson_or_jeffreys
        low, high = interval(round(share * n), n, confidence)
        method = "clopper_pearson" if exact else "wilson_or_jeffreys"
    elif n_clusters < 2:
        return Estimate(mean, standard_error, None, None, "undefined: one cluster only")
    else:
        dispersion = _mean_dispersion(values, (low_bound, high_bound), clusters, variance)
        effective = n / (dispersion * _student_factor(n_clusters, confidence))
        low, high = binomial.wilson_or_jeffreys(share * effective, effective, confidence)
        method = "score_effective_n"
    return Estimate(mean, standard_error, low_bound + span * low, low_bound + span * high, method)


def paired_estimate(
    diffs: FloatArray,
    clusters: IntArray | None,
    scale: float | None,
    confidence: float,
    *,
    binary: bool = False,
) -> Estimate:
    """The mean of paired differences, one per example, with its interval.

    Args:
        diffs: shape (n,), n >= 1, candidate minus baseline, finite.
        clusters: shape (n,), codes of dependent groups; None where all are independent.
        scale: the largest difference possible (1 for shares); None where unknown, and then the
            largest observed one serves.
        confidence: two-sided.
        binary: each difference is an independent -1, 0 or 1, and takes Tango's interval as it is.
    """
    n = len(diffs)
    mean = float(diffs.mean())
    sums, sizes = _cluster_sums(diffs - mean, clusters)
    variance = _variance_of_mean(sums, n)
    standard_error = math.sqrt(variance)
    if scale is None:
        scale = float(np.abs(diffs).max())
        if scale == 0:
            return Estimate(mean, standard_error, None, None, "undefined: no spread, no range")
    if binary and clusters is None:
        wins, losses = float((diffs > 0).sum()), float((diffs < 0).sum())
        low, high = binomial.tango(wins, losses, n, confidence)
        return Estimate(mean, standard_error, low, high, "tango")
    if len(sums) < 2:
        return Estimate(mean, standard_error, None, None, "undefined: one cluster only")
    unit = diffs / scale
    gains, falls = float(unit[unit > 0].sum()), float(-unit[unit < 0].sum())
    events = _n_clusters_with(unit != 0, clusters)
    square = float((unit * unit).sum())
    observed = square / (gains + falls) if events else 1.0
    magnitude = _shrink(observed, events, 1.0, _PRIOR_EVENTS_MAGNITUDE)
    model = (magnitude * (gains + falls) / n - (mean / scale) ** 2) / n
    dispersion = _shrink(
        variance / scale**2 / model if model > 0 else 0.0,
        events,
        _cautious_dispersion(sizes),
        _PRIOR_EVENTS_PAIR,
    )
    divisor = dispersion * _student_factor(len(sums), confidence)
    low, high = binomial.tango(
        gains / magnitude / divisor, falls / magnitude / divisor, n / divisor, confidence
    )
    size = magnitude * scale
    return Estimate(mean, standard_error, low * size, high * size, "tango_effective_n")


def cluster_totals(values: FloatArray, clusters: IntArray | None) -> FloatArray:
    """Sums of `values` (n, columns) within each cluster: shape (n_clusters, columns)."""
    if clusters is None:
        return values
    totals = np.zeros((int(clusters.max()) + 1, values.shape[1]))
    np.add.at(totals, clusters, values)
    return totals


def _range(values: FloatArray, bounds: tuple[float | None, float | None]) -> tuple[float, float]:
    low = float(values.min()) if bounds[0] is None else bounds[0]
    high = float(values.max()) if bounds[1] is None else bounds[1]
    return low, high


def _cluster_sums(values: FloatArray, clusters: IntArray | None) -> tuple[FloatArray, FloatArray]:
    """Sum and size of every cluster that has a value; each value its own where None."""
    if clusters is None:
        return values, np.ones(len(values))
    sizes = np.bincount(clusters).astype(np.float64)
    sums = np.bincount(clusters, weights=values)
    present = sizes > 0
    return sums[present], sizes[present]


def _variance_of_mean(residual_sums: FloatArray, n: int) -> float:
    """The cluster-robust (CR1) variance of a mean of `n` values (Liang and Zeger 1986)."""
    n_clusters = len(residual_sums)
    if n_clusters < 2:
        return 0.0
    return float(n_clusters / (n_clusters - 1) * (residual_sums**2).sum() / n**2)


def _mean_dispersion(
    values: FloatArray, bounds: tuple[float, float], clusters: IntArray | None, variance: float
) -> float:
    low, high = bounds
    n, span = len(values), high - low
    share = (float(values.mean()) - low) / span
    model = share * (1 - share) / n
    _, sizes = _cluster_sums(values, clusters)
    events = min(
        _n_clusters_with(values > low, clusters), _n_clusters_with(values < high, clusters)
    )
    observed = variance / span**2 / model if model > 0 else 0.0
    return _shrink(observed, events, _cautious_dispersion(sizes), _PRIOR_EVENTS_MEAN)


def _n_clusters_with(flags: np.ndarray, clusters: IntArray | None) -> int:
    return int(flags.sum()) if clusters is None else len(np.unique(clusters[flags]))


def _cautious_dispersion(sizes: FloatArray) -> float:
    """The design effect of clusters of these sizes if half of all variance were between them."""
    return float(1 + 0.5 * ((sizes**2).sum() / sizes.sum() - 1))


def _shrink(observed: float, events: int, cautious: float, prior_events: float) -> float:
    return (events * observed + prior_events * cautious) / (events + prior_events)


def _student_factor(n_clusters: int, confidence: float) -> float:
    """How much the variance must be inflated for z to do as t with n_clusters - 1 degrees."""
    from scipy.special import stdtrit

    t = float(stdtrit(n_clusters - 1, 0.5 + confidence / 2))
    return (t / binomial.z_quantile(confidence)) ** 2
